//! The tables against the counts of the SDKs, and against themselves.

use std::collections::BTreeSet;

use fermata_billing::effect::OperationClass;

use super::*;
use crate::Code;

fn count(service: Service, fits: impl Fn(&Action) -> bool) -> usize {
    service.actions().iter().filter(|action| fits(action)).count()
}

/// How many actions the editions have, counted in the SDKs' clients.
#[test]
fn every_action_of_both_editions_is_there_once() {
    for (service, cn, intl, both, all) in
        [(Service::Trtc, 86, 58, 55, 89), (Service::Billing, 71, 65, 64, 72)]
    {
        assert_eq!(count(service, |a| a.editions != Editions::Intl), cn, "{service:?}");
        assert_eq!(count(service, |a| a.editions != Editions::Cn), intl, "{service:?}");
        assert_eq!(count(service, |a| a.editions == Editions::Both), both, "{service:?}");
        let names: BTreeSet<&str> = service.actions().iter().map(|a| a.name).collect();
        assert_eq!(names.len(), all, "{service:?}: a name is there twice");
        assert_eq!(service.actions().len(), all, "{service:?}");
        assert_eq!(count(service, |a| a.service != service), 0, "{service:?}");
    }
}

#[test]
fn categories_have_as_many_actions_as_the_vendor_lists() {
    for (category, expected) in [
        (Category::Rooms, 6),
        (Category::Mix, 11),
        (Category::Recording, 4),
        (Category::DataMonitoring, 5),
        (Category::Ingest, 4),
        (Category::WebRecord, 3),
        (Category::Ai, 28),
        (Category::Slicing, 4),
        (Category::Moderation, 8),
        (Category::CallQuality, 6),
        (Category::Usage, 10),
    ] {
        assert_eq!(count(Service::Trtc, |a| a.category == category), expected, "{category:?}");
    }
}

#[test]
fn what_is_built_is_what_was_promised() {
    let built = |category| count(Service::Trtc, |a| a.category == category && a.is_built());
    assert_eq!(built(Category::Rooms), 6);
    assert_eq!(built(Category::Usage), 5);
    assert_eq!(built(Category::CallQuality), 6);
    assert_eq!(built(Category::DataMonitoring), 4);
    assert_eq!(count(Service::Trtc, Action::is_built), 21);
    assert_eq!(count(Service::Billing, Action::is_built), 11);
    let offline: Vec<&str> = Service::Trtc
        .actions()
        .iter()
        .filter(|action| action.status == Status::Offline)
        .map(|action| action.name)
        .collect();
    assert_eq!(offline, ["DescribeTRTCMarketScaleMetricData"]);
}

/// Policy 2.2: which class a kind of action is in can be read off its name.
#[test]
fn classes_follow_the_kind_of_action() {
    for action in Service::Trtc.actions() {
        let begins = |words: &[&str]| words.iter().any(|word| action.name.starts_with(word));
        let robots = matches!(
            action.category,
            Category::Mix
                | Category::Recording
                | Category::Ingest
                | Category::WebRecord
                | Category::Slicing
                | Category::Moderation
        ) && !action.name.contains("Picture");
        let expected = match action.category {
            Category::Rooms => OperationClass::Dismiss,
            Category::Usage | Category::CallQuality | Category::DataMonitoring => {
                OperationClass::Api
            }
            _ if robots && begins(&["Stop", "Delete", "Describe"]) => OperationClass::Dismiss,
            _ if robots && begins(&["Modify", "Update"]) => OperationClass::RunningTask,
            _ if robots && action.name != "CreateAudioModerationSync" => OperationClass::Join,
            _ if begins(&["Start"]) => OperationClass::Join,
            _ if begins(&["Stop"]) => OperationClass::Dismiss,
            _ => continue,
        };
        assert_eq!(action.class, expected, "{}", action.name);
    }
    assert_eq!(count(Service::Billing, |a| a.class != OperationClass::Billing), 0);
}

#[test]
fn only_what_asks_changes_nothing() {
    for action in Service::ALL.iter().flat_map(|service| service.actions()) {
        let asks = ["Describe", "Get", "Download", "Query"]
            .iter()
            .any(|word| action.name.starts_with(word));
        assert_eq!(action.mutates, !asks, "{}", action.name);
    }
}

#[test]
fn usage_is_slower() {
    for action in Service::ALL.iter().flat_map(|service| service.actions()) {
        let expected = match (action.name, action.category) {
            ("DescribeTrtcRoomUsage", _) => Rate::OncePer(15),
            (_, Category::Usage) => Rate::Usage,
            _ => Rate::Default,
        };
        assert_eq!(action.rate, expected, "{}", action.name);
    }
}

#[test]
fn what_is_not_carried_out_says_why() {
    for action in Service::ALL.iter().flat_map(|service| service.actions()) {
        match (action.status, action.refusal()) {
            (Status::Built, None) => {}
            (Status::NotYet(why), Some(error)) => {
                assert!(
                    !why.is_empty() && error.message.ends_with(&format!("{why}.")),
                    "{}",
                    action.name
                );
                assert!(error.message.starts_with(action.name), "{}", action.name);
                assert_eq!(error.code, Code::UNSUPPORTED_OPERATION);
                assert!(action.params.is_empty(), "{}", action.name);
            }
            (Status::Offline, Some(error)) => assert_eq!(error.code, Code::ACTION_OFFLINE),
            other => unreachable!("{other:?}"),
        }
    }
}

#[test]
fn schemas_name_each_parameter_once() {
    for action in Service::ALL.iter().flat_map(|service| service.actions()) {
        let names: BTreeSet<&str> = action.params.iter().map(|param| param.name).collect();
        assert_eq!(names.len(), action.params.len(), "{}", action.name);
        for param in action.params {
            assert!(!(param.required && param.default.is_some()), "{} {}", action.name, param.name);
        }
    }
}

#[test]
fn actions_are_found_by_their_exact_name_in_their_service() {
    let name = |service, name| find(service, name).map(|action| action.name);
    assert_eq!(name(Service::Trtc, "RemoveUser"), Ok("RemoveUser"));
    assert_eq!(name(Service::Billing, "DescribeBillList"), Ok("DescribeBillList"));
    for (service, unknown) in [
        (Service::Trtc, "removeUser"),
        (Service::Trtc, "DescribeBillList"),
        (Service::Billing, "RemoveUser"),
        (Service::Trtc, ""),
    ] {
        let error = name(service, unknown).unwrap_err();
        assert_eq!(error.code, Code::INVALID_ACTION);
        assert!(error.message.contains(service.code()), "{error}");
    }
    let long = name(Service::Trtc, &"x".repeat(10_000)).unwrap_err();
    assert!(long.message.len() < 200);
}

#[test]
fn services_are_known_by_name_and_version() {
    for service in Service::ALL {
        assert_eq!(Service::from_code(service.code()), Some(*service));
        assert_eq!(Service::from_version(service.version()), Some(*service));
    }
    assert_eq!(Service::from_code("cvm"), None);
    assert_eq!(Service::from_version("2017-03-12"), None);
}
