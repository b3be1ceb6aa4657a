//! Call quality monitoring (calls and users in retrospect) and data monitoring (whole applications).

use fermata_billing::effect::OperationClass::Api;

use super::Group;
use super::params::{
    ANY_ROOM_TEXT, APP, APP_TEXT, COMM_ID, END, END_DAY, HUNDRED_USERS, PAGE_NUMBER, PAGE_OF_6,
    PAGE_OF_10, ROOM_TEXT, START, START_DAY, USER_ID,
};
use crate::action::Editions::{Both, Cn};
use crate::action::{Action, Category, Service};
use crate::param::{Kind, Param};

const CALL: Group = Group { service: Service::Trtc, category: Category::CallQuality, why: "" };

const FIGURES: Group =
    Group { service: Service::Trtc, category: Category::DataMonitoring, why: "" };

/// Figures of a call; `all` stands for every one.
const METRIC: Kind = Kind::Word(&[
    "all",
    "appCpu",
    "sysCpu",
    "aBit",
    "aBlock",
    "bigvBit",
    "bigvCapFps",
    "bigvEncFps",
    "bigvDecFps",
    "bigvBlock",
    "aLoss",
    "bigvLoss",
    "bigvWidth",
    "bigvHeight",
    "aCapEnergy",
    "aPlayEnergy",
    "rtt",
    "bigvRecFps",
]);

const DATA_TYPE: Param = Param::optional("DataType", Kind::List { of: &METRIC, max: 18 });

/// By day or by hour.
const PERIOD: Param = Param::required("Period", Kind::Word(&["d", "h"]));

const IS_FLOAT: Param = Param::optional("IsFloat", Kind::Bool);

pub(super) const CALLS: &[Action] = &[
    CALL.read("DescribeRoomInfo", Both, Api).takes(&[
        APP,
        START,
        END,
        ANY_ROOM_TEXT,
        PAGE_NUMBER,
        PAGE_OF_10,
    ]),
    CALL.read("DescribeUserInfo", Both, Api).takes(&[
        COMM_ID,
        START,
        END,
        APP,
        HUNDRED_USERS,
        PAGE_NUMBER,
        PAGE_OF_6,
    ]),
    CALL.read("DescribeCallDetailInfo", Both, Api).takes(&[
        COMM_ID,
        START,
        END,
        APP,
        HUNDRED_USERS,
        DATA_TYPE,
        PAGE_NUMBER,
        PAGE_OF_6,
    ]),
    CALL.read("DescribeScaleInfo", Both, Api).takes(&[APP, START, END]),
    CALL.read("DescribeUserEvent", Both, Api)
        .takes(&[COMM_ID, START, END, USER_ID, ROOM_TEXT, APP]),
    CALL.read("DescribeUnusualEvent", Both, Api).takes(&[APP, START, END, ANY_ROOM_TEXT]),
];

pub(super) const DATA: &[Action] = &[
    FIGURES.read("DescribeTRTCRealTimeQualityData", Both, Api).takes(&[
        APP_TEXT,
        START,
        END,
        ANY_ROOM_TEXT,
    ]),
    FIGURES.read("DescribeTRTCRealTimeScaleData", Both, Api).takes(&[
        APP_TEXT,
        START,
        END,
        ANY_ROOM_TEXT,
    ]),
    FIGURES
        .read("DescribeTRTCMarketQualityData", Both, Api)
        .takes(&[APP_TEXT, START_DAY, END_DAY, PERIOD, IS_FLOAT]),
    FIGURES
        .read("DescribeTRTCMarketScaleData", Both, Api)
        .takes(&[APP_TEXT, START_DAY, END_DAY, PERIOD]),
    FIGURES.read("DescribeTRTCMarketScaleMetricData", Cn, Api).offline(),
];
