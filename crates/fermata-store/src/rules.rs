//! What is allowed, and what a change amounts to: pure functions that every backend shares.

use fermata_billing::calendar::{Calendar, CalendarError};
use fermata_billing::limits::FIRED_PER_CALL_MAX;
use fermata_billing::notice::check_url;
use fermata_billing::verify::Disagreement;
use fermata_types::{
    AccountId, ConsoleUserId, NodeId, Scene, SdkAppId, StayEnd, TokenId, WINDOW_SECONDS,
};
use jiff::{SignedDuration, Span, Timestamp, civil::Date};

use crate::books::clock_offset;
use crate::limits::{
    API_KEY_LEN_MAX, API_KEYS_PER_APP_MAX, API_TOKENS_MAX, APPS_PER_ACCOUNT_MAX,
    APPS_PER_SECRET_MAX, CALLBACK_GROUP_MAX, CALLBACK_KEY_LEN_MAX, CALLBACK_URL_LEN_MAX,
    CONSOLE_USERS_MAX, DAY_USES_MAX, DISCONNECT_TIMEOUT_S_DEFAULT, DISCONNECT_TIMEOUT_S_MAX,
    DISCONNECT_TIMEOUT_S_MIN, ID_LEN_MAX, NAME_CHARS_MAX, ONCE_KEY_LEN_MAX, OUTBOX_ERROR_CHARS_MAX,
    PAGE_LEN_MAX, PARTNERS_MAX, PASSWORD_HASH_LEN_MAX, ROOM_USAGE_ROWS_MAX, SECRET_ID_LEN_MAX,
    SECRET_ID_LEN_MIN, SECRET_KEY_LEN_MAX, SECRET_KEY_LEN_MIN, SECRET_LEN_MAX,
    SECRETS_IN_FORCE_MAX, SECRETS_PER_ACCOUNT_MAX, SETTING_LEN_MAX, SETTING_NAME_LEN_MAX,
    SPAN_RANGE_MAX, SPAN_S_MAX, TOTP_SECRET_LEN_MAX, USAGE_DAYS_MAX, WEBHOOKS_PER_APP_MAX,
};
use crate::{
    Account, ApiKey, ApiSecret, ApiToken, App, AppCallbacks, AppChange, AppWithKeys, Books,
    Callback, ConsoleSession, ConsoleTotp, ConsoleUser, ConsoleUserChange, Once, Partner, Standing,
    StoreError,
};

type Checked<T = ()> = Result<T, StoreError>;

pub(crate) fn invalid(field: &'static str, problem: impl Into<String>) -> StoreError {
    StoreError::Invalid { field, problem: problem.into() }
}

pub(crate) fn no_account(id: &AccountId) -> StoreError {
    StoreError::NotFound { what: "account", id: id.to_string() }
}

pub(crate) fn no_app(id: SdkAppId) -> StoreError {
    StoreError::NotFound { what: "application", id: id.to_string() }
}

pub(crate) fn no_api_key(key: &str) -> StoreError {
    StoreError::NotFound { what: "API key", id: key.to_owned() }
}

pub(crate) fn no_token(id: &TokenId) -> StoreError {
    StoreError::NotFound { what: "API token", id: id.to_string() }
}

pub(crate) fn no_console_user(id: &ConsoleUserId) -> StoreError {
    StoreError::NotFound { what: "console user", id: id.to_string() }
}

pub(crate) fn no_secret(secret_id: &str) -> StoreError {
    StoreError::NotFound { what: "secret", id: secret_id.to_owned() }
}

pub(crate) fn exists(what: &'static str, id: &impl ToString) -> StoreError {
    StoreError::Exists { what, id: id.to_string() }
}

/// The moment as it is stored: whole microseconds, what is finer is cut off.
pub(crate) fn stored(moment: Timestamp) -> Timestamp {
    from_us(to_us(moment)).unwrap_or(moment)
}

/// Microseconds since 1970, rounded down.
pub(crate) fn to_us(moment: Timestamp) -> i64 {
    i64::try_from(moment.as_nanosecond().div_euclid(1_000)).unwrap_or(i64::MAX)
}

pub(crate) fn from_us(us: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(us).ok()
}

fn bounded(field: &'static str, text: &str, len_max: usize) -> Checked {
    match text.len() {
        0 => Err(invalid(field, "it is empty")),
        len if len > len_max => {
            Err(invalid(field, format!("it has {len} bytes; at most {len_max} are allowed")))
        }
        _ => Ok(()),
    }
}

fn display_name(text: &str) -> Checked {
    let chars = text.chars().count();
    if (1..=NAME_CHARS_MAX).contains(&chars) {
        return Ok(());
    }
    Err(invalid("name", format!("it has {chars} characters; 1 to {NAME_CHARS_MAX} are allowed")))
}

fn disconnect_timeout(seconds: u32) -> Checked {
    if (DISCONNECT_TIMEOUT_S_MIN..=DISCONNECT_TIMEOUT_S_MAX).contains(&seconds) {
        return Ok(());
    }
    let bounds = format!("{DISCONNECT_TIMEOUT_S_MIN} to {DISCONNECT_TIMEOUT_S_MAX}");
    Err(invalid("disconnect_timeout_s", format!("{seconds} is not within {bounds}")))
}

/// Is `id` one that can be a row's key?
pub(crate) fn id_ok(id: &str) -> bool {
    (1..=ID_LEN_MAX).contains(&id.len())
}

pub(crate) fn account(mut account: Account) -> Checked<Account> {
    bounded("account_id", account.id.as_str(), ID_LEN_MAX)?;
    display_name(&account.name)?;
    account.created_at = stored(account.created_at);
    Ok(account)
}

pub(crate) fn api_key(mut key: ApiKey) -> Checked<ApiKey> {
    bounded("api_key", &key.key, API_KEY_LEN_MAX)?;
    bounded("api_secret", &key.secret, SECRET_LEN_MAX)?;
    key.created_at = stored(key.created_at);
    Ok(key)
}

pub(crate) fn usersig_key(key: &str) -> Checked {
    bounded("usersig_key", key, SECRET_LEN_MAX)
}

/// Checks a new application; its keys come back in the order in which they are listed.
pub(crate) fn app(mut new: AppWithKeys) -> Checked<AppWithKeys> {
    if new.app.sdk_app_id.0 == 0 {
        return Err(invalid("sdk_app_id", "0 is not within 1 to 4294967295"));
    }
    bounded("account_id", new.app.account.as_str(), ID_LEN_MAX)?;
    display_name(&new.app.name)?;
    disconnect_timeout(new.app.disconnect_timeout_s)?;
    usersig_key(&new.usersig_key)?;
    // Epochs are stored as 63-bit numbers, and there must be room to rise.
    if new.app.epoch > u64::from(u32::MAX) {
        return Err(invalid("epoch", "it is too high for a new application"));
    }
    if new.api_keys.is_empty() || new.api_keys.len() > API_KEYS_PER_APP_MAX {
        return Err(invalid("api_keys", format!("1 to {API_KEYS_PER_APP_MAX} are allowed")));
    }
    new.app.created_at = stored(new.app.created_at);
    new.api_keys = new.api_keys.into_iter().map(api_key).collect::<Checked<_>>()?;
    new.api_keys.sort_by(|a, b| key_order(a).cmp(&key_order(b)));
    let mut names: Vec<_> = new.api_keys.iter().map(|key| &key.key).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
        return Err(invalid("api_keys", "two have the same name"));
    }
    Ok(new)
}

/// API keys are listed by age, then name.
pub(crate) fn key_order(key: &ApiKey) -> (Timestamp, &str) {
    (key.created_at, &key.key)
}

/// May one more key join `count` others?
pub(crate) fn room_for_key(count: usize) -> Checked {
    if count < API_KEYS_PER_APP_MAX {
        return Ok(());
    }
    Err(invalid("api_keys", format!("the application has {count}, as many as are allowed")))
}

/// May one of `count` keys go?
pub(crate) fn key_can_go(count: usize) -> Checked {
    if count > 1 {
        return Ok(());
    }
    Err(invalid("api_key", "it is the application's last one; add another first"))
}

/// May one more application join `count` others of its account?
pub(crate) fn room_for_app(count: usize) -> Checked {
    if count < APPS_PER_ACCOUNT_MAX {
        return Ok(());
    }
    Err(invalid("account", format!("it has {count} applications, as many as are allowed")))
}

/// May one more operator token join `count` others?
pub(crate) fn room_for_token(count: usize) -> Checked {
    if count < API_TOKENS_MAX {
        return Ok(());
    }
    Err(invalid("token_id", format!("there are {count} tokens, as many as are allowed")))
}

/// Does an answer with `count` rows by room fit?
pub(crate) fn room_rows(count: usize) -> Checked {
    if count <= ROOM_USAGE_ROWS_MAX {
        return Ok(());
    }
    Err(invalid("to", format!("more than {ROOM_USAGE_ROWS_MAX} rows; ask for a shorter range")))
}

/// The application after `change`; its epoch has risen if anything differs.
pub(crate) fn changed(app: &App, change: AppChange) -> Checked<App> {
    change.name.as_deref().map_or(Ok(()), display_name)?;
    change.disconnect_timeout_s.map_or(Ok(()), disconnect_timeout)?;
    let mut after = app.clone();
    after.name = change.name.unwrap_or(after.name);
    after.default_scene = change.default_scene.unwrap_or(after.default_scene);
    after.disconnect_timeout_s = change.disconnect_timeout_s.unwrap_or(after.disconnect_timeout_s);
    after.private_map_required = change.private_map_required.unwrap_or(after.private_map_required);
    if after != *app {
        after.epoch += 1;
    }
    Ok(after)
}

pub(crate) fn api_token(mut token: ApiToken) -> Checked<ApiToken> {
    bounded("token_id", token.id.as_str(), ID_LEN_MAX)?;
    display_name(&token.name)?;
    if let Some(of) = token.role.of() {
        bounded(token.role.code(), of, ID_LEN_MAX)?;
    }
    token.created_at = stored(token.created_at);
    token.revoked_at = token.revoked_at.map(stored);
    Ok(token)
}

/// Is `new` the token that is stored already? Being revoked since does not make it another one.
pub(crate) fn same_token(old: &ApiToken, new: &ApiToken) -> bool {
    let parts = |token: &ApiToken| (token.hash, token.created_at, token.read_only);
    (&old.name, &old.role, parts(old)) == (&new.name, &new.role, parts(new))
}

/// The form of a sign-in name that no two users share.
pub(crate) fn name_lower(name: &str) -> String {
    name.to_lowercase()
}

fn sign_in_name(name: &str) -> Checked {
    display_name(name)?;
    if name.trim() != name || name.chars().any(char::is_control) {
        return Err(invalid("name", "it takes no control characters, and no spaces around it"));
    }
    Ok(())
}

fn password_hash(hash: &str) -> Checked {
    bounded("password_hash", hash, PASSWORD_HASH_LEN_MAX)
}

fn console_totp(totp: &ConsoleTotp) -> Checked {
    let len = totp.secret.len();
    if !(1..=TOTP_SECRET_LEN_MAX).contains(&len) {
        let problem = format!("it has {len} bytes; 1 to {TOTP_SECRET_LEN_MAX} are allowed");
        return Err(invalid("totp.secret", problem));
    }
    // Steps are stored as 63-bit numbers; the year 9999 is at about 8.4 thousand million.
    if totp.last_step.is_some_and(|step| step > u64::from(u32::MAX) * 4) {
        return Err(invalid("totp.last_step", "it lies too far in the future"));
    }
    Ok(())
}

pub(crate) fn console_user(mut user: ConsoleUser) -> Checked<ConsoleUser> {
    bounded("console_user_id", user.id.as_str(), ID_LEN_MAX)?;
    sign_in_name(&user.name)?;
    password_hash(&user.password_hash)?;
    if let Some(of) = user.role.of() {
        bounded(user.role.code(), of, ID_LEN_MAX)?;
    }
    user.totp.as_ref().map_or(Ok(()), console_totp)?;
    user.created_at = stored(user.created_at);
    user.password_changed_at = stored(user.password_changed_at);
    user.disabled_at = user.disabled_at.map(stored);
    Ok(user)
}

/// Is `new` the user that is stored already? What may change later does not make it another one.
pub(crate) fn same_console_user(old: &ConsoleUser, new: &ConsoleUser) -> bool {
    (&old.name, &old.role, old.created_at) == (&new.name, &new.role, new.created_at)
}

/// May one more user of the console join `count` others?
pub(crate) fn room_for_console_user(count: usize) -> Checked {
    if count < CONSOLE_USERS_MAX {
        return Ok(());
    }
    Err(invalid("console_user_id", format!("there are {count} users, as many as are allowed")))
}

/// The user after `change`.
pub(crate) fn changed_console_user(
    user: &ConsoleUser,
    change: &ConsoleUserChange,
) -> Checked<ConsoleUser> {
    let mut after = user.clone();
    if let Some((hash, at)) = &change.password {
        password_hash(hash)?;
        (after.password_hash, after.password_changed_at) = (hash.clone(), stored(*at));
    }
    after.read_only = change.read_only.unwrap_or(after.read_only);
    match change.disabled {
        Some(Some(at)) => drop(after.disabled_at.get_or_insert(stored(at))),
        Some(None) => after.disabled_at = None,
        None => {}
    }
    if let Some(totp) = &change.totp {
        totp.as_ref().map_or(Ok(()), console_totp)?;
        after.totp.clone_from(totp);
    }
    Ok(after)
}

/// Does a change of their user end sessions?
pub(crate) fn ends_console_sessions(change: &ConsoleUserChange) -> bool {
    change.password.is_some() || matches!(change.disabled, Some(Some(_)))
}

/// The session that does not end then, if there is one; disabling keeps none.
pub(crate) fn kept_console_session(change: &ConsoleUserChange) -> Option<[u8; 32]> {
    change.keep_session.filter(|_| !matches!(change.disabled, Some(Some(_))))
}

pub(crate) fn console_session(mut session: ConsoleSession) -> Checked<ConsoleSession> {
    session.created_at = stored(session.created_at);
    session.expires_at = stored(session.expires_at);
    if session.expires_at <= session.created_at {
        return Err(invalid("expires_at", "it is not later than the beginning"));
    }
    Ok(session)
}

/// Checks a new secret pair; its applications come back ascending.
pub(crate) fn secret(mut new: ApiSecret) -> Checked<ApiSecret> {
    let id = &new.secret_id;
    let lens = SECRET_ID_LEN_MIN..=SECRET_ID_LEN_MAX;
    if !lens.contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let problem = format!("{SECRET_ID_LEN_MIN} to {SECRET_ID_LEN_MAX} letters and digits");
        return Err(invalid("secret_id", format!("it takes {problem}")));
    }
    bounded("account_id", new.account.as_str(), ID_LEN_MAX)?;
    display_name(&new.name)?;
    let key = &new.secret_key;
    let lens = SECRET_KEY_LEN_MIN..=SECRET_KEY_LEN_MAX;
    if !lens.contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let problem =
            format!("{SECRET_KEY_LEN_MIN} to {SECRET_KEY_LEN_MAX} visible ASCII characters");
        return Err(invalid("secret_key", format!("it takes {problem}")));
    }
    if new.apps.len() > APPS_PER_SECRET_MAX {
        let len = new.apps.len();
        return Err(invalid("apps", format!("{len}; at most {APPS_PER_SECRET_MAX} are allowed")));
    }
    new.apps.sort_unstable();
    if new.apps.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
        return Err(invalid("apps", "one is there twice"));
    }
    if new.revoked_at.is_some() {
        return Err(invalid("revoked_at", "a new secret pair is in force"));
    }
    new.created_at = stored(new.created_at);
    Ok(new)
}

/// Is `new` the secret pair that is stored already? Being revoked since does not make it another one.
pub(crate) fn same_secret(old: &ApiSecret, new: &ApiSecret) -> bool {
    let unrevoked = ApiSecret { revoked_at: None, ..old.clone() };
    unrevoked == *new
}

/// May a secret pair be limited to this application?
pub(crate) fn own_app(id: SdkAppId, own: bool) -> Checked {
    if own {
        return Ok(());
    }
    Err(invalid("apps", format!("the account has no application {id}")))
}

/// May one more secret pair join `all` others of its account, `in_force` of which are not revoked?
pub(crate) fn room_for_secret(all: usize, in_force: usize) -> Checked {
    if in_force >= SECRETS_IN_FORCE_MAX {
        let problem = format!("the account has {in_force} in force, as many as are allowed");
        return Err(invalid("secrets", format!("{problem}; revoke one first")));
    }
    if all >= SECRETS_PER_ACCOUNT_MAX {
        let problem = format!("the account has {all}, revoked ones included");
        return Err(invalid("secrets", format!("{problem}, as many as are allowed")));
    }
    Ok(())
}

/// Checks where events are to go. Whether named API keys are there is asked by [`own_keys`].
pub(crate) fn callbacks(all: AppCallbacks) -> Checked<AppCallbacks> {
    let address = |field: &'static str, url: &str| {
        check_url(url, CALLBACK_URL_LEN_MAX).map_err(|problem| invalid(field, problem))
    };
    if let Some(Callback { url, key, groups }) = &all.callback {
        address("callback.url", url)?;
        let lens = 1..=CALLBACK_KEY_LEN_MAX;
        if !lens.contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let problem = format!("it takes 1 to {CALLBACK_KEY_LEN_MAX} letters and digits");
            return Err(invalid("callback.key", problem));
        }
        let ascending = groups.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
        let known = groups.iter().all(|group| (1..=CALLBACK_GROUP_MAX).contains(group));
        if groups.is_empty() || !ascending || !known {
            let problem = format!("it takes numbers of 1 to {CALLBACK_GROUP_MAX}, ascending");
            return Err(invalid("callback.groups", format!("{problem}, one at least")));
        }
    }
    if all.webhooks.len() > WEBHOOKS_PER_APP_MAX {
        let len = all.webhooks.len();
        let problem = format!("{len}; at most {WEBHOOKS_PER_APP_MAX} are allowed");
        return Err(invalid("webhooks", problem));
    }
    for (place, webhook) in all.webhooks.iter().enumerate() {
        address("webhooks", &webhook.url)?;
        if let Some(key) = &webhook.api_key {
            bounded("webhooks.api_key", key, API_KEY_LEN_MAX)?;
        }
        if all.webhooks.iter().take(place).any(|earlier| earlier.url == webhook.url) {
            return Err(invalid("webhooks", "two have the same address"));
        }
    }
    Ok(all)
}

/// Are the API keys that webhooks name keys of the application?
pub(crate) fn own_keys(all: &AppCallbacks, app: &AppWithKeys) -> Checked {
    let own = |name: &String| app.api_keys.iter().any(|key| key.key == *name);
    match all.webhooks.iter().filter_map(|webhook| webhook.api_key.as_ref()).find(|key| !own(key)) {
        None => Ok(()),
        Some(name) => {
            let problem = format!("the application has no API key {name:?}");
            Err(invalid("webhooks.api_key", problem))
        }
    }
}

/// The settings of an application after they were cleared (T21).
pub(crate) fn cleared(app: App) -> App {
    App {
        default_scene: Scene::Call,
        disconnect_timeout_s: DISCONNECT_TIMEOUT_S_DEFAULT,
        private_map_required: false,
        epoch: app.epoch + 1,
        ..app
    }
}

/// What every door needs of an account's books.
pub(crate) fn standing(account: &AccountId, books: Books) -> Standing {
    let Books { state, policy, .. } = books;
    let clock_offset = clock_offset(&state).as_micros();
    Standing {
        account: account.clone(),
        epoch: state.head.epoch,
        sandbox: state.profile.is_some_and(|profile| profile.sandbox),
        clock_offset_us: i64::try_from(clock_offset).unwrap_or(i64::MAX),
        apps: state.apps.into_keys().collect(),
        holds: state.holds.into_values().collect(),
        reclaim: state.reclaim,
        policy,
    }
}

/// A disagreement in an account's books, as a sentence.
pub(crate) fn disagreement(account: &AccountId, found: &Disagreement) -> String {
    let Disagreement { what, row, stored, computed } = found;
    format!("Account {account}: {what}: {row} says {stored}, but it should be {computed}.")
}

pub(crate) fn once(once: &Once) -> Checked {
    bounded("credential", &once.scope, ID_LEN_MAX)?;
    bounded("idempotency_key", &once.key, ONCE_KEY_LEN_MAX)
}

pub(crate) fn partner(mut partner: Partner) -> Checked<Partner> {
    bounded("partner_id", &partner.id.0, ID_LEN_MAX)?;
    display_name(&partner.name)?;
    partner.created_at = stored(partner.created_at);
    Ok(partner)
}

/// May one more partner join `count` others?
pub(crate) fn room_for_partner(count: usize) -> Checked {
    if count < PARTNERS_MAX {
        return Ok(());
    }
    Err(invalid("partner_id", format!("there are {count} partners, as many as are allowed")))
}

/// Does an answer with `count` rows of use by day fit?
pub(crate) fn day_rows(count: usize) -> Checked {
    if count <= DAY_USES_MAX {
        return Ok(());
    }
    Err(invalid("to", format!("more than {DAY_USES_MAX} rows; ask for a shorter range")))
}

/// How many timers one call may fire.
pub(crate) fn fire_limit(limit: u32) -> Checked<usize> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if (1..=FIRED_PER_CALL_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(invalid("limit", format!("{limit} is not within 1 to {FIRED_PER_CALL_MAX}")))
}

/// The beginning of an error's text, as it is kept with a delivery.
pub(crate) fn outbox_error(text: &str) -> String {
    text.chars().take(OUTBOX_ERROR_CHARS_MAX).collect()
}

pub(crate) fn node(id: &NodeId) -> Checked {
    bounded("node", id.as_str(), ID_LEN_MAX)
}

pub(crate) fn page(limit: u32) -> Checked {
    if (1..=PAGE_LEN_MAX).contains(&limit) {
        return Ok(());
    }
    Err(invalid("limit", format!("{limit} is not within 1 to {PAGE_LEN_MAX}")))
}

pub(crate) fn range(from: Timestamp, to: Timestamp) -> Checked<(Timestamp, Timestamp)> {
    if from > to {
        return Err(invalid("from", "it is later than `to`"));
    }
    Ok((stored(from), stored(to)))
}

/// A range in spans that one answer can hold: its ends as they are stored, and the span in microseconds.
pub(crate) fn spans(from: Timestamp, to: Timestamp, span_s: u32) -> Checked<(i64, i64, i64)> {
    if !(WINDOW_SECONDS..=SPAN_S_MAX).contains(&span_s) || !span_s.is_multiple_of(WINDOW_SECONDS) {
        let problem =
            format!("{span_s}; whole minutes of {WINDOW_SECONDS} to {SPAN_S_MAX} seconds");
        return Err(invalid("span_s", format!("{problem} are allowed")));
    }
    let (from, to) = range(from, to)?;
    if to.duration_since(from) > SPAN_RANGE_MAX {
        return Err(invalid("to", "at most 31 days in one question"));
    }
    Ok((to_us(from), to_us(to), i64::from(span_s) * 1_000_000))
}

pub(crate) fn setting_name(name: &'static str) -> Checked {
    bounded("setting", name, SETTING_NAME_LEN_MAX)
}

pub(crate) fn setting(name: &'static str, value: &str) -> Checked {
    setting_name(name)?;
    if value.len() > SETTING_LEN_MAX {
        return Err(invalid("value", format!("at most {SETTING_LEN_MAX} bytes are allowed")));
    }
    Ok(())
}

/// Are `from` to `to`, inclusive, a range that one answer can hold?
pub(crate) fn day_range(from: Date, to: Date) -> Checked {
    if from > to {
        return Err(invalid("from", "it is later than `to`"));
    }
    let days = from.series(Span::new().days(1)).take_while(|day| *day <= to);
    if days.take(USAGE_DAYS_MAX + 1).count() > USAGE_DAYS_MAX {
        return Err(invalid("to", format!("at most {USAGE_DAYS_MAX} days in one question")));
    }
    // The end of a day is the start of the next one, so the calendar's last day cannot be asked for.
    if to == Date::MAX || from < Date::constant(1970, 1, 1) {
        return Err(invalid("from", "only days from 1970-01-01 to 9999-12-30 can be asked for"));
    }
    Ok(())
}

/// One civil day: its date, the instant it starts at, and the instant the next one starts at.
pub(crate) type CivilDay = (Date, Timestamp, Timestamp);

/// The civil days `from` to `to`, inclusive, of an account's calendar.
pub(crate) fn days(calendar: &Calendar, from: Date, to: Date) -> Checked<Vec<CivilDay>> {
    let out_of_range = |error: CalendarError| invalid("from", error.to_string());
    let mut days = Vec::new();
    let mut day = from;
    let mut starts = calendar.day_start(day).map_err(out_of_range)?;
    while day <= to && days.len() < USAGE_DAYS_MAX {
        let ends = calendar.day_end(day).map_err(out_of_range)?;
        days.push((day, starts, ends));
        let Ok(next) = day.tomorrow() else { break };
        (day, starts) = (next, ends);
    }
    Ok(days)
}

/// Of two reported ends of one stay, the one that holds: a real one before `Lost`, then the earlier,
/// then by code. A total order, so the order of arrival does not matter.
pub(crate) fn end_that_holds(
    a: (Timestamp, StayEnd),
    b: (Timestamp, StayEnd),
) -> (Timestamp, StayEnd) {
    let rank = |(at, end): (Timestamp, StayEnd)| (end == StayEnd::Lost, at, end_code(end));
    if rank(b) < rank(a) { b } else { a }
}

/// When a lost stay ended: at the node's watermark, but neither before the window of which it has seconds
/// last (`last_window`, its start; its entry, if it has none) nor more than a minute after that window.
/// The watermark is of a wall clock, which may have stepped far during the stay.
pub(crate) fn end_when_lost(
    entered_at: Timestamp,
    last_window: Option<Timestamp>,
    watermark: Timestamp,
) -> Timestamp {
    let earliest = last_window.map_or(entered_at, |start| start.max(entered_at));
    let windows = if last_window.is_some() { 2 } else { 1 };
    let after = SignedDuration::from_secs(i64::from(WINDOW_SECONDS) * windows);
    let latest = last_window.unwrap_or(entered_at).saturating_add(after).unwrap_or(Timestamp::MAX);
    watermark.clamp(earliest, latest.max(earliest))
}

/// Every end with its stable code in tables.
pub(crate) const END_CODES: &[(StayEnd, &str)] = &[
    (StayEnd::Left, "left"),
    (StayEnd::Replaced, "replaced"),
    (StayEnd::Removed, "removed"),
    (StayEnd::Dismissed, "dismissed"),
    (StayEnd::TimedOut, "timed_out"),
    (StayEnd::Shutdown, "shutdown"),
    (StayEnd::Failed, "failed"),
    (StayEnd::NeverConnected, "never_connected"),
    (StayEnd::Lost, "lost"),
];

pub(crate) fn end_code(end: StayEnd) -> &'static str {
    // No wildcard: a new end must get its code here and in the list above.
    match end {
        StayEnd::Left => "left",
        StayEnd::Replaced => "replaced",
        StayEnd::Removed => "removed",
        StayEnd::Dismissed => "dismissed",
        StayEnd::TimedOut => "timed_out",
        StayEnd::Shutdown => "shutdown",
        StayEnd::Failed => "failed",
        StayEnd::NeverConnected => "never_connected",
        StayEnd::Lost => "lost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_cut_to_microseconds_downwards() {
        let rows = [(0, 0), (1_999, 1), (-1, -1), (-1_000, -1), (-1_001, -2)];
        for (ns, us) in rows {
            let moment = Timestamp::from_nanosecond(ns).expect("in range");
            assert_eq!(to_us(moment), us, "{ns}");
            assert_eq!(to_us(stored(moment)), us, "{ns}");
        }
    }

    #[test]
    fn days_follow_the_zone() {
        let rows = [
            ("UTC", "2026-03-29", 24),
            ("Europe/Berlin", "2026-03-29", 23),
            ("Europe/Berlin", "2026-10-25", 25),
            // Midnight itself is skipped or doubled.
            ("America/Santiago", "2026-09-06", 23),
            ("America/Santiago", "2026-04-04", 25),
            // The date that Samoa left out when it crossed the date line.
            ("Pacific/Apia", "2011-12-29", 24),
            ("Pacific/Apia", "2011-12-30", 0),
        ];
        for (name, day, hours) in rows {
            let date: Date = day.parse().expect("date");
            let days = days(&Calendar::new(name).expect("zone"), date, date).expect("days");
            let (_, from, to) = days[0];
            assert_eq!(to.duration_since(from).as_hours(), hours, "{name} {day}");
        }
    }

    #[test]
    fn days_tile_time() {
        for name in ["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu"] {
            let (from, to) = (Date::constant(2026, 1, 1), Date::constant(2026, 12, 31));
            let days = days(&Calendar::new(name).expect("zone"), from, to).expect("days");
            assert_eq!(days.len(), 365);
            assert!(days.windows(2).all(|pair| pair[0].2 == pair[1].1), "{name}");
        }
    }

    #[test]
    fn the_number_of_days_is_bounded() {
        let from = Date::constant(2026, 1, 1);
        let last = from.checked_add(Span::new().days(399)).expect("date");
        assert!(day_range(from, last).is_ok());
        assert!(day_range(from, last.tomorrow().expect("date")).is_err());
        assert!(day_range(last, from).is_err());
        assert!(day_range(Date::MAX, Date::MAX).is_err());
        assert!(day_range(Date::MIN, Date::MIN).is_err());
    }

    #[test]
    fn which_end_holds_does_not_depend_on_the_order() {
        let at = |s| Timestamp::from_second(s).expect("in range");
        let ends: Vec<_> =
            END_CODES.iter().flat_map(|(end, _)| [(at(1), *end), (at(2), *end)]).collect();
        for a in &ends {
            assert!(END_CODES.contains(&(a.1, end_code(a.1))));
            for b in &ends {
                assert_eq!(end_that_holds(*a, *b), end_that_holds(*b, *a));
            }
        }
        let (lost, left) = ((at(1), StayEnd::Lost), (at(9), StayEnd::Left));
        assert_eq!(end_that_holds(lost, left), left);
    }
}
