//! Room management: live rooms and who is in them.

use fermata_billing::effect::OperationClass::Dismiss;

use super::Group;
use super::params::{APP, INTEGER_ROOM, STRING_ROOM, TEN_USERS, USER_ID};
use crate::action::Editions::{Both, Intl};
use crate::action::{Action, Category, Service};
use crate::param::{Kind, Param};

const ROOMS: Group = Group { service: Service::Trtc, category: Category::Rooms, why: "" };

/// 0 lets everything through again, 1 mutes both, 2 audio, 3 video.
const IS_MUTE: Param = Param::required("IsMute", Kind::Integer { min: 0, max: 3 });

const STR_ROOM: Param = Param { name: "StrRoomId", code_name: "StrRoomId", ..STRING_ROOM };

pub(super) const ROWS: &[Action] = &[
    ROOMS.write("DismissRoom", Both, Dismiss).takes(&[APP, INTEGER_ROOM]),
    ROOMS.write("DismissRoomByStrRoomId", Both, Dismiss).takes(&[APP, STRING_ROOM]),
    ROOMS.write("RemoveUser", Both, Dismiss).takes(&[APP, INTEGER_ROOM, TEN_USERS]),
    ROOMS.write("RemoveUserByStrRoomId", Both, Dismiss).takes(&[APP, STRING_ROOM, TEN_USERS]),
    ROOMS.write("SetUserBlocked", Intl, Dismiss).takes(&[APP, INTEGER_ROOM, USER_ID, IS_MUTE]),
    ROOMS
        .write("SetUserBlockedByStrRoomId", Intl, Dismiss)
        .takes(&[APP, STR_ROOM, USER_ID, IS_MUTE]),
];
