//! Usage statistics: minutes by day or five minutes, seconds by room.

use fermata_billing::effect::OperationClass::Api;

use super::Group;
use super::params::{ANY_APP, END_DAY, END_MOMENT, NUMBER, START_DAY, START_MOMENT};
use crate::action::Editions::{Both, Cn};
use crate::action::{Action, Category, Rate, Service};
use crate::param::{Kind, Param};

const USAGE: Group = Group {
    service: Service::Trtc,
    category: Category::Usage,
    why: "the service whose usage it counts is not built yet",
};

const OLD: &str = "it is the older form of an action that is built";

const MIX_TYPE: Param = Param::required("MixType", Kind::Word(&["single", "multi"]));

/// The vendor's model spells it so.
const APP_SPELT_OTHERWISE: Param = Param::required("SdkAppid", NUMBER).coded("SdkAppId");

pub(super) const ROWS: &[Action] = &[
    USAGE
        .read("DescribeTrtcUsage", Both, Api)
        .takes(&[START_DAY, END_DAY, ANY_APP])
        .at(Rate::Usage),
    USAGE
        .read("DescribeTrtcRoomUsage", Both, Api)
        .takes(&[APP_SPELT_OTHERWISE, START_MOMENT, END_MOMENT])
        .at(Rate::OncePer(15)),
    USAGE
        .read("DescribeRecordingUsage", Both, Api)
        .takes(&[START_DAY, END_DAY, MIX_TYPE, ANY_APP])
        .at(Rate::Usage),
    USAGE
        .read("DescribeMixTranscodingUsage", Both, Api)
        .takes(&[START_DAY, END_DAY, ANY_APP])
        .at(Rate::Usage),
    USAGE
        .read("DescribeRelayUsage", Both, Api)
        .takes(&[START_DAY, END_DAY, ANY_APP])
        .at(Rate::Usage),
    USAGE.read("DescribeTRTCAIRecognitionUsage", Cn, Api).at(Rate::Usage),
    USAGE.read("DescribeTRTCDedicatedCloudAccUsage", Cn, Api).at(Rate::Usage),
    USAGE.read("DescribeTRTCSegmentModerationUsage", Cn, Api).at(Rate::Usage),
    USAGE.read("DescribeRecordStatistic", Cn, Api).at(Rate::Usage).not_yet(OLD),
    USAGE.read("DescribeTrtcMcuTranscodeTime", Cn, Api).at(Rate::Usage).not_yet(OLD),
];
