//! All commands of `fermata admin`. A row each: adding a call to the API means adding a row here, and a test says so.

use super::call::{Call, Field, Kind};

const ACCOUNT: Field = Field::path("account", "Account, AC_...");
const APP: Field = Field::path("sdk_app_id", "Number of the application").number().word("app");
const PARTNER: Field = Field::path("partner", "Id of the partner");
const ROOM: Field = Field::path("room", "Name of the room");
const AMOUNT: Field = Field::arg("amount", "Decimal number of the account's currency: 49.00");
const REASON: Field = Field::need("reason", "For people, and for the audit");
const BILLING: Kind = Kind::OneOf(&["daily", "monthly", "off"]);
const SCENE: Kind = Kind::OneOf(&["call", "live"]);
const HOLDS: &[&str] = &["id", "kind", "scope", "since", "cause", "remedy"];
const FROM_DAY: Field = Field::query("from", "First day: 2026-01-31");
const TO_DAY: Field = Field::query("to", "Last day");
const FROM: Field = Field::query("from", "From this moment on: 2026-01-31T00:00:00Z").required();
const TO: Field = Field::query("to", "Before this moment").required();
const OF_APP: Field = Field::opt("app", "Number of the application").number();
const VERSION: Field = Field::path("version", "Its number, or current").default("current");

const USER: Field = Field::path("user", "Its id, CU_...");
const PASSWORD: Field = Field::opt("password", "File with the password, 12 to 256 characters")
    .word("password-file")
    .kind(Kind::TextFile);

/// Operations that browsers ask with the cookie of a session, which the command line has none of.
#[cfg(test)]
pub(super) const OF_SESSIONS: &[&str] = &[
    "create_console_session",
    "read_console_session",
    "end_console_session",
    "change_own_console_password",
    "begin_console_totp",
    "confirm_console_totp",
    "remove_console_totp",
];

/// Nouns that have verbs, for the help.
pub(super) const NOUNS: &[(&str, &str)] = &[
    ("accounts", "Accounts: who pays"),
    ("apps", "Applications of accounts"),
    ("keys", "Keys of applications"),
    ("callbacks", "Where events of applications go"),
    ("deliveries", "Events on their way to applications"),
    ("secrets", "Secret pairs of the server APIs"),
    ("payments", "Payments and their reversals"),
    ("packages", "Prepaid minutes"),
    ("holds", "Holds: what keeps an account or application suspended"),
    ("tickets", "Tickets for closing accounts"),
    ("bills", "Bills"),
    ("vouchers", "Vouchers"),
    ("credit-notes", "Credit notes"),
    ("subscriptions", "Who is told of what"),
    ("partners", "Partners (resellers)"),
    ("agreements", "Agreements with partners"),
    ("catalog", "Prices and package types"),
    ("reclaim", "Clearing of accounts that are suspended for long"),
    ("rooms", "Live rooms"),
    ("app-usage", "Seconds of applications"),
    ("tokens", "Tokens of this API"),
    ("users", "Users of the console"),
];

/// The rows, in the order of the help.
pub(super) const CALLS: &[Call] = &[
    Call::get(&["accounts", "list"], "list_accounts", "/accounts", "List accounts")
        .items(&[
            "id",
            "name",
            "label",
            "currency",
            "billing",
            "credit_limit",
            "time_zone",
            "sandbox",
            "partner",
        ])
        .paged(),
    Call::post(&["accounts", "create"], "create_account", "/accounts", "Open an account").with(&[
        Field::arg("name", "Display name"),
        Field::opt("currency", "Code of ISO 4217; USD if absent"),
        Field::opt("time_zone", "IANA name such as Europe/Berlin; UTC if absent").word("time-zone"),
        Field::opt("billing", "What happens to minutes beyond packages; daily if absent")
            .kind(BILLING),
        Field::opt("sandbox", "With a clock of its own").kind(Kind::Switch),
        Field::opt("partner", "Its partner's id"),
        Field::opt("credit_limit", "How far below zero its cash may go; 0 if absent")
            .word("credit-limit"),
    ]),
    Call::get(&["accounts", "show"], "read_account", "/accounts/{account}", "Show an account")
        .with(&[ACCOUNT]),
    Call::patch(
        &["accounts", "change"],
        "change_account",
        "/accounts/{account}",
        "Change an account",
    )
    .with(&[
        ACCOUNT,
        Field::opt("time_zone", "IANA name; in force from the next month on").word("time-zone"),
        Field::opt("credit_limit", "How far below zero its cash may go").word("credit-limit"),
        Field::opt("reclaim_exempt", "Exempt from clearing for legal reasons?")
            .word("reclaim-exempt")
            .kind(Kind::Bool),
        Field::opt("contacts", "The whole list of contacts").kind(Kind::Json),
    ]),
    Call::get(
        &["apps", "list"],
        "list_apps",
        "/accounts/{account}/apps",
        "List applications of an account",
    )
    .with(&[ACCOUNT])
    .items(&["sdk_app_id", "name", "default_scene", "disconnect_timeout_s", "created_at"]),
    Call::post(
        &["apps", "create"],
        "create_app",
        "/accounts/{account}/apps",
        "Create an application and its keys",
    )
    .with(&[
        ACCOUNT,
        Field::arg("name", "Display name"),
        Field::opt("sdk_app_id", "Its number, if a certain one is wanted")
            .word("sdk-app-id")
            .number(),
        Field::opt("default_scene", "Scene of its rooms; call if absent")
            .word("default-scene")
            .kind(SCENE),
        Field::opt("disconnect_timeout_s", "Seconds that a vanished user is kept; 90 if absent")
            .word("disconnect-timeout-s")
            .number(),
        Field::opt("private_map_required", "Every UserSig join needs a PrivateMapKey")
            .word("private-map-required")
            .kind(Kind::Switch),
        Field::opt("usersig_key", "The secret behind UserSig, if a certain one is wanted")
            .word("usersig-key"),
    ]),
    Call::get(&["apps", "show"], "read_app", "/apps/{sdk_app_id}", "Show an application")
        .with(&[APP]),
    Call::patch(&["apps", "change"], "change_app", "/apps/{sdk_app_id}", "Change an application")
        .with(&[
            APP,
            Field::opt("name", "Display name"),
            Field::opt("default_scene", "Scene of its rooms").word("default-scene").kind(SCENE),
            Field::opt("disconnect_timeout_s", "Seconds that a vanished user is kept, 5 to 300")
                .word("disconnect-timeout-s")
                .number(),
            Field::opt("private_map_required", "Does every UserSig join need a PrivateMapKey?")
                .word("private-map-required")
                .kind(Kind::Bool),
        ]),
    Call::post(
        &["apps", "disable"],
        "disable_app",
        "/apps/{sdk_app_id}/disable",
        "Disable an application",
    )
    .with(&[
        APP,
        Field::opt("dismiss_rooms", "Close its live rooms, too")
            .word("dismiss-rooms")
            .kind(Kind::Switch),
    ]),
    Call::post(
        &["apps", "enable"],
        "enable_app",
        "/apps/{sdk_app_id}/enable",
        "Enable an application",
    )
    .with(&[APP]),
    Call::get(
        &["keys", "list"],
        "list_keys",
        "/apps/{sdk_app_id}/keys",
        "List LiveKit key pairs, without secrets",
    )
    .with(&[APP])
    .items(&["key", "created_at"]),
    Call::post(
        &["keys", "create"],
        "create_key",
        "/apps/{sdk_app_id}/keys",
        "Add a LiveKit key pair",
    )
    .with(&[
        APP,
        Field::opt("key", "Its public name, if a certain one is wanted"),
        Field::opt("secret", "Its secret, if a certain one is wanted"),
    ]),
    Call::delete(
        &["keys", "remove"],
        "remove_key",
        "/apps/{sdk_app_id}/keys/{key}",
        "Remove a LiveKit key pair",
    )
    .with(&[APP, Field::path("key", "Its public name")]),
    Call::post(
        &["keys", "rotate-usersig"],
        "rotate_usersig_key",
        "/apps/{sdk_app_id}/usersig-key",
        "Replace the secret behind UserSig",
    )
    .with(&[
        APP,
        Field::opt("usersig_key", "The new one, if a certain one is wanted").word("usersig-key"),
    ]),
    Call::get(
        &["callbacks", "show"],
        "read_callbacks",
        "/apps/{sdk_app_id}/callbacks",
        "Show where events of an application go",
    )
    .with(&[APP]),
    Call::put(
        &["callbacks", "set"],
        "set_callbacks",
        "/apps/{sdk_app_id}/callbacks",
        "Say anew where events of an application go; what is absent goes nowhere",
    )
    .with(&[
        APP,
        Field::opt(
            "callback",
            "In the vendor's form: {\"url\": \"https://...\", \"key\": \"...\", \"groups\": [1, 2]}",
        )
        .kind(Kind::Json),
        Field::opt(
            "webhooks",
            "In LiveKit's form: [{\"url\": \"https://...\", \"api_key\": \"...\"}]",
        )
        .kind(Kind::Json),
    ]),
    Call::post(
        &["callbacks", "test"],
        "test_callbacks",
        "/apps/{sdk_app_id}/callbacks/test",
        "Send a test event wherever events of an application go",
    )
    .with(&[APP]),
    Call::get(
        &["deliveries", "list"],
        "list_deliveries",
        "/apps/{sdk_app_id}/deliveries",
        "List events that were sent or wait, the newest first",
    )
    .with(&[
        APP,
        Field::query("state", "Only in this state")
            .kind(Kind::OneOf(&["waiting", "delivered", "failed"])),
        Field::query("room", "Only of this room"),
        Field::query("event", "Only of this event: 103, room_started, ..."),
    ])
    .items(&["id", "receiver", "room", "event", "state", "created_at", "attempts", "url"])
    .paged(),
    Call::get(
        &["deliveries", "show"],
        "read_delivery",
        "/apps/{sdk_app_id}/deliveries/{delivery}",
        "Show a delivery with its body",
    )
    .with(&[APP, Field::path("delivery", "Its id, EV_...")]),
    Call::post(
        &["deliveries", "replay"],
        "replay_delivery",
        "/apps/{sdk_app_id}/deliveries/{delivery}/replay",
        "Send one again that was given up",
    )
    .with(&[APP, Field::path("delivery", "Its id, EV_...")]),
    Call::get(
        &["secrets", "list"],
        "list_secrets",
        "/accounts/{account}/secrets",
        "List secret pairs, without keys",
    )
    .with(&[ACCOUNT])
    .items(&["secret_id", "name", "policy", "apps", "created_at", "revoked_at"]),
    Call::post(
        &["secrets", "create"],
        "create_secret",
        "/accounts/{account}/secrets",
        "Make a secret pair; its key is shown once",
    )
    .with(&[
        ACCOUNT,
        Field::arg("name", "What it is for"),
        Field::opt("policy", "What it may do; full if absent")
            .kind(Kind::OneOf(&["full", "read_only"])),
        Field::opt("apps", "Only for these applications: [1400000001]").kind(Kind::Json),
    ]),
    Call::delete(
        &["secrets", "revoke"],
        "revoke_secret",
        "/accounts/{account}/secrets/{secret}",
        "Revoke a secret pair",
    )
    .with(&[ACCOUNT, Field::path("secret", "Its public name, AKID...")]),
    Call::get(
        &["standing"],
        "read_standing",
        "/accounts/{account}/standing",
        "Show the standing of an account",
    )
    .with(&[ACCOUNT]),
    Call::get(
        &["balance"],
        "read_balance",
        "/accounts/{account}/balance",
        "Show the balance of an account",
    )
    .with(&[ACCOUNT]),
    Call::post(&["pay"], "create_payment", "/accounts/{account}/payments", "Book a payment").with(
        &[
            ACCOUNT,
            AMOUNT,
            Field::need(
                "provider_ref",
                "The provider's reference; the same one twice credits once",
            )
            .word("ref"),
        ],
    ),
    Call::get(
        &["payments", "list"],
        "list_payments",
        "/accounts/{account}/payments",
        "List payments and reversals",
    )
    .with(&[ACCOUNT])
    .items(&["seq", "at", "kind", "amount", "provider_ref", "reason"])
    .paged(),
    Call::post(
        &["payments", "reverse"],
        "reverse_payment",
        "/accounts/{account}/payments/{ref}/reverse",
        "Take a payment back (a chargeback)",
    )
    .with(&[ACCOUNT, Field::path("ref", "The provider's reference"), REASON]),
    Call::get(
        &["packages", "list"],
        "list_packages",
        "/accounts/{account}/packages",
        "List packages",
    )
    .with(&[ACCOUNT])
    .items(&["id", "type", "app", "status", "from", "until", "units", "left", "price"]),
    Call::post(
        &["packages", "buy"],
        "buy_package",
        "/accounts/{account}/packages",
        "Buy a package",
    )
    .with(&[ACCOUNT, Field::arg("type", "Code of the type: monthly_starter"), OF_APP]),
    Call::post(
        &["packages", "refund"],
        "refund_package",
        "/accounts/{account}/packages/{package}/refund",
        "Give an unused monthly package back",
    )
    .with(&[ACCOUNT, Field::path("package", "Package, PK_...")]),
    Call::post(&["postpaid"], "set_postpaid", "/accounts/{account}/postpaid", "Switch postpaid")
        .with(&[ACCOUNT, Field::arg("billing", "How often it is billed, or off").kind(BILLING)]),
    Call::get(
        &["holds", "list"],
        "read_standing",
        "/accounts/{account}/standing",
        "List holds of an account",
    )
    .with(&[ACCOUNT])
    .table("holds", &["id", "kind", "scope", "since", "cause", "proposed", "reason", "remedy"]),
    Call::post(
        &["holds", "raise"],
        "raise_hold",
        "/accounts/{account}/holds",
        "Raise a hold; a violation is only proposed by this",
    )
    .with(&[
        ACCOUNT,
        Field::arg("kind", "Which").kind(Kind::OneOf(&[
            "violation",
            "admin",
            "partner_freeze",
            "closure",
        ])),
        Field::opt("reason", "In words; a violation needs it"),
        Field::opt("evidence", "Reference of the evidence; a violation needs it"),
        Field::opt("cause", "Of a violation").kind(Kind::OneOf(&["content", "agreement"])),
        OF_APP,
    ]),
    Call::post(
        &["holds", "approve"],
        "approve_hold",
        "/accounts/{account}/holds/{hold}/approve",
        "Approve a violation that somebody else proposed",
    )
    .with(&[ACCOUNT, Field::path("hold", "Hold, HD_...")]),
    Call::delete(
        &["holds", "drop"],
        "drop_hold",
        "/accounts/{account}/holds/{hold}",
        "Drop a hold",
    )
    .with(&[ACCOUNT, Field::path("hold", "Hold, HD_...")])
    .table("holds", HOLDS),
    Call::post(
        &["tickets", "open"],
        "open_ticket",
        "/accounts/{account}/tickets",
        "Ask to close an account",
    )
    .with(&[ACCOUNT]),
    Call::post(
        &["tickets", "confirm"],
        "confirm_ticket",
        "/accounts/{account}/tickets/{ticket}/confirm",
        "Confirm it after the days to think again; data is cleared",
    )
    .with(&[ACCOUNT, Field::path("ticket", "Ticket, TI_...")]),
    Call::post(
        &["tickets", "cancel"],
        "cancel_ticket",
        "/accounts/{account}/tickets/{ticket}/cancel",
        "Take a ticket back; the account stays",
    )
    .with(&[ACCOUNT, Field::path("ticket", "Ticket, TI_...")]),
    Call::get(&["bills", "list"], "list_bills", "/accounts/{account}/bills", "List bills")
        .with(&[ACCOUNT])
        .items(&[
            "id",
            "period.from_day",
            "period.to_day",
            "issued_at",
            "total",
            "balance_before",
            "balance_after",
        ])
        .paged(),
    Call::get(&["bills", "show"], "read_bill", "/accounts/{account}/bills/{bill}", "Show a bill")
        .with(&[
            ACCOUNT,
            Field::path("bill", "Bill, BL_..."),
            Field::accept("csv", "text/csv", "As CSV"),
            Field::accept("html", "text/html", "As a page to print"),
        ]),
    Call::get(&["ledger"], "list_ledger", "/accounts/{account}/ledger", "List ledger transactions")
        .with(&[ACCOUNT])
        .items(&["seq", "booked_at", "kind", "subject", "actor", "entries"])
        .paged(),
    Call::get(&["notices"], "list_notices", "/accounts/{account}/notices", "List notices")
        .with(&[ACCOUNT])
        .items(&["seq", "at", "kind", "threshold", "title"])
        .paged(),
    Call::get(&["audit"], "list_audit", "/accounts/{account}/audit", "List audit rows")
        .with(&[ACCOUNT])
        .items(&["seq", "at", "actor", "action", "app", "details"])
        .paged(),
    Call::get(
        &["usage"],
        "account_usage",
        "/accounts/{account}/usage",
        "Show usage by day, and who pays for it",
    )
    .with(&[ACCOUNT, FROM_DAY, TO_DAY])
    .items(&["day", "app", "sku", "minutes", "covered", "billed", "absorbed", "seconds", "closed"]),
    Call::post(
        &["use"],
        "create_sandbox_usage",
        "/accounts/{account}/usage",
        "Use minutes of a sandbox account",
    )
    .with(&[
        ACCOUNT,
        Field::arg("app", "Number of the application").number(),
        Field::arg("sku", "Code: audio, video_hd, ..."),
        Field::arg("minutes", "How many").number(),
        Field::opt("at", "When, account time; now if absent"),
    ]),
    Call::post(
        &["clock"],
        "advance_clock",
        "/accounts/{account}/clock",
        "Move the clock of a sandbox account",
    )
    .with(&[
        ACCOUNT,
        Field::opt("advance", "So much further: PT24H, P60D"),
        Field::opt("to", "To this moment: 2026-01-31T00:00:00Z"),
    ]),
    Call::post(
        &["vouchers", "give"],
        "create_voucher",
        "/accounts/{account}/vouchers",
        "Give a voucher",
    )
    .with(&[
        ACCOUNT,
        AMOUNT,
        Field::need("expires_at", "When it expires: 2027-01-01T00:00:00Z").word("expires-at"),
        REASON,
    ]),
    Call::post(
        &["credit-notes", "issue"],
        "create_credit_note",
        "/accounts/{account}/credit-notes",
        "Give part of a bill back to the balance",
    )
    .with(&[ACCOUNT, Field::arg("bill", "Bill, BL_..."), AMOUNT, REASON]),
    Call::post(
        &["adjust"],
        "create_adjustment",
        "/accounts/{account}/adjustments",
        "Correct the balance, up or down",
    )
    .with(&[ACCOUNT, AMOUNT, REASON]),
    Call::get(
        &["subscriptions", "list"],
        "list_notice_subscriptions",
        "/notice-subscriptions",
        "List them",
    )
    .with(&[Field::query("account", "Account; a customer need not name it").positional()])
    .items(&["id", "kind", "contact", "below", "percent"]),
    Call::post(
        &["subscriptions", "add"],
        "create_notice_subscription",
        "/notice-subscriptions",
        "Subscribe a contact to notices",
    )
    .with(&[
        Field::arg(
            "kind",
            "About what: balance_low, package_alarm, arrears_warning, suspended, ...",
        ),
        Field::opt("account", "Account; a customer need not name it"),
        Field::opt("contact", "Whom to tell; owner if absent"),
        Field::opt("below", "Balance below which balance_low goes out"),
        Field::opt("percent", "Share left at which package_alarm goes out").number(),
        Field::opt("name", "Its name; one with it is replaced"),
    ]),
    Call::delete(
        &["subscriptions", "remove"],
        "remove_notice_subscription",
        "/notice-subscriptions/{subscription}",
        "Remove one",
    )
    .with(&[Field::path("subscription", "Its id")]),
    Call::get(&["partners", "list"], "list_partners", "/partners", "List partners")
        .items(&["id", "name", "created_at"])
        .paged(),
    Call::post(&["partners", "add"], "create_partner", "/partners", "Add a partner")
        .with(&[Field::arg("id", "Its id"), Field::arg("name", "Display name")]),
    Call::get(&["partners", "show"], "read_partner", "/partners/{partner}", "Show a partner")
        .with(&[PARTNER]),
    Call::get(
        &["agreements", "list"],
        "list_agreements",
        "/agreements",
        "List the agreements in force",
    )
    .items(&["partner", "version", "effective_from", "actor"])
    .paged(),
    Call::get(
        &["agreements", "show"],
        "read_agreement",
        "/agreements/{partner}",
        "Show all versions of an agreement",
    )
    .with(&[PARTNER])
    .items(&["version", "effective_from", "actor", "terms"]),
    Call::post(
        &["agreements", "create"],
        "create_agreement",
        "/agreements",
        "Make a version of an agreement",
    )
    .with(&[
        Field::arg("partner", "Id of the partner"),
        Field::opt("effective_from", "From when; at once if absent").word("effective-from"),
        Field::opt("terms", "What differs from the policy: {\"grace_hours\": 72}").kind(Kind::Json),
    ]),
    Call::get(
        &["agreements", "diff"],
        "compare_agreements",
        "/agreements/{partner}/diff",
        "Compare two versions of an agreement",
    )
    .with(&[
        PARTNER,
        Field::query("from", "Older version").number(),
        Field::query("to", "Newer version").number(),
    ])
    .items(&["term", "old", "new"]),
    Call::get(&["catalog", "list"], "list_catalog", "/catalog", "List versions of the catalog")
        .items(&["version", "effective_from", "in_force", "currencies", "actor"])
        .paged(),
    Call::get(
        &["catalog", "show"],
        "read_catalog",
        "/catalog/{version}",
        "Show a version of the catalog",
    )
    .with(&[VERSION]),
    Call::get(
        &["catalog", "export"],
        "read_catalog",
        "/catalog/{version}",
        "Print a version as a TOML file",
    )
    .with(&[VERSION])
    .text("application/toml"),
    Call::post(
        &["catalog", "import"],
        "create_catalog_version",
        "/catalog",
        "Add a version from a TOML file",
    )
    .with(&[Field::file("file", "application/toml", "The file")]),
    Call::get(
        &["reclaim", "status"],
        "read_reclaim",
        "/reclaim",
        "Show the switch, and which accounts wait",
    )
    .items(&["account", "sandbox", "stage", "at", "step"])
    .paged(),
    Call::put(
        &["reclaim", "on"],
        "switch_reclaim",
        "/reclaim",
        "Clear live accounts when they are due",
    )
    .fixed(r#"{"sweep": true}"#),
    Call::put(&["reclaim", "off"], "switch_reclaim", "/reclaim", "Clear sandbox accounts only")
        .fixed(r#"{"sweep": false}"#),
    Call::get(
        &["reclaim", "receipts"],
        "list_receipts",
        "/accounts/{account}/receipts",
        "List receipts of what was cleared of an account",
    )
    .with(&[ACCOUNT])
    .items(&["step", "class", "at", "hash"])
    .paged(),
    Call::get(
        &["rooms", "list"],
        "list_rooms",
        "/apps/{sdk_app_id}/rooms",
        "List live rooms of an application",
    )
    .with(&[APP])
    .items(&["name", "sid", "scene", "participants", "publishers"]),
    Call::delete(
        &["rooms", "dismiss"],
        "dismiss_room",
        "/apps/{sdk_app_id}/rooms/{room}",
        "Close a room",
    )
    .with(&[APP, ROOM]),
    Call::get(
        &["rooms", "people"],
        "list_participants",
        "/apps/{sdk_app_id}/rooms/{room}/participants",
        "List who is in a room",
    )
    .with(&[APP, ROOM])
    .items(&["identity", "sid", "name", "role", "state", "publishes", "address"]),
    Call::delete(
        &["rooms", "remove"],
        "remove_participant",
        "/apps/{sdk_app_id}/rooms/{room}/participants/{identity}",
        "Remove somebody from a room",
    )
    .with(&[APP, ROOM, Field::path("identity", "Who")]),
    Call::get(&["stays"], "list_stays", "/apps/{sdk_app_id}/stays", "List stays in rooms")
        .with(&[APP, FROM, TO, Field::query("room", "Only of this room")])
        .items(&["stay", "room", "identity", "entered_at", "ended_at", "end", "seconds"])
        .paged(),
    Call::get(
        &["app-usage", "days"],
        "usage_by_day",
        "/apps/{sdk_app_id}/usage",
        "Seconds by day (UTC) and SKU",
    )
    .with(&[APP, FROM_DAY.required(), TO_DAY.required()])
    .items(&["day", "sku", "seconds", "minutes"]),
    Call::get(
        &["app-usage", "rooms"],
        "usage_by_room",
        "/apps/{sdk_app_id}/usage/rooms",
        "Seconds by room and SKU",
    )
    .with(&[APP, FROM, TO])
    .items(&["room", "room_sid", "sku", "seconds"]),
    Call::get(&["tokens", "list"], "list_tokens", "/tokens", "List tokens, without secrets").items(
        &["id", "name", "role", "account", "partner", "read_only", "created_at", "revoked_at"],
    ),
    Call::post(
        &["tokens", "create"],
        "create_token",
        "/tokens",
        "Create a token; it is shown once",
    )
    .with(&[
        Field::arg("name", "What it is for"),
        Field::opt("role", "For whom it speaks; operator if absent")
            .kind(Kind::OneOf(&["operator", "partner", "customer"])),
        Field::opt("account", "The account of a customer's token"),
        Field::opt("partner", "The partner of a partner's token"),
        Field::opt("read_only", "It may only look").word("read-only").kind(Kind::Switch),
    ]),
    Call::delete(&["tokens", "revoke"], "revoke_token", "/tokens/{token}", "Revoke a token")
        .with(&[Field::path("token", "Its id, TK_...")]),
    Call::get(&["users", "list"], "list_console_users", "/console-users", "List users of the console")
        .items(&[
            "id",
            "name",
            "role",
            "account",
            "partner",
            "read_only",
            "totp",
            "created_at",
            "disabled_at",
        ]),
    Call::post(
        &["users", "create"],
        "create_console_user",
        "/console-users",
        "Make a user of the console",
    )
    .with(&[
        Field::arg("name", "Sign-in name"),
        PASSWORD.required(),
        Field::opt("role", "For whom it speaks; operator if absent")
            .kind(Kind::OneOf(&["operator", "partner", "customer"])),
        Field::opt("account", "The account of a customer's user"),
        Field::opt("partner", "The partner of a partner's user"),
        Field::opt("read_only", "It may only look").word("read-only").kind(Kind::Switch),
    ]),
    Call::patch(
        &["users", "change"],
        "change_console_user",
        "/console-users/{user}",
        "Change a user of the console; a new password and disabling end its sessions",
    )
    .with(&[
        USER,
        PASSWORD,
        Field::opt("disabled", "Is it disabled?").kind(Kind::Bool),
        Field::opt("read_only", "May it only look?").word("read-only").kind(Kind::Bool),
        Field::opt("remove_totp", "It has no one-time codes any more")
            .word("remove-totp")
            .kind(Kind::Switch),
    ]),
    Call::delete(
        &["users", "remove"],
        "remove_console_user",
        "/console-users/{user}",
        "Remove a user of the console",
    )
    .with(&[USER]),
    Call::post(
        &["backup"],
        "create_backup",
        "/backup",
        "Copy the database, on the server's machine",
    )
    .with(&[Field::opt("name", "Name of the file")]),
];
