//! The error codes that are answered, and errors as code and message.
//!
//! Codes are the vendor's; one is ours, [`Code::SERVICE_SUSPENDED`].
//! What it is not: no HTTP status, since errors are answered with 200 (see [`crate::envelope`]).

use std::borrow::Cow;

use crate::limits::SHOWN_LEN_MAX;

/// A code of an error, such as `FailedOperation.RoomNotExist`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(&'static str);

impl Code {
    /// A code that another table words, such as that of `fermata-auth`.
    pub const fn other(text: &'static str) -> Self {
        Self(text)
    }

    /// As on the wire.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// What it means, one sentence; empty for codes that are in no table of ours.
    pub fn sentence(self) -> &'static str {
        CODES.iter().find(|row| row.code == self).map_or("", |row| row.english)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// A row of the guide's table of codes.
#[derive(Debug, Clone, Copy)]
pub struct CodeRow {
    /// The code.
    pub code: Code,
    /// What it means, in English.
    pub english: &'static str,
    /// The same in Chinese; empty where answers stay English.
    pub chinese: &'static str,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $english:literal, $chinese:literal;)*) => {
        impl Code {
            $(#[doc = $english] $(#[$doc])* pub const $name: Self = Self($text);)*
        }

        /// Every code that is answered, by family; codes of single parameters are in [`PARAMETER_CODES`].
        pub const CODES: &[CodeRow] = &[
            $(CodeRow { code: Code::$name, english: $english, chinese: $chinese },)*
        ];
    };
}

codes! {
    ACTION_OFFLINE = "ActionOffline", "The action was taken offline.", "接口已下线。";
    INVALID_AUTHORIZATION = "AuthFailure.InvalidAuthorization", "The signature's header or parameters cannot be read.", "签名信息格式错误。";
    INVALID_SECRET_ID = "AuthFailure.InvalidSecretId", "The `SecretId` has no valid form, or was revoked.", "密钥非法或已停用。";
    SECRET_ID_NOT_FOUND = "AuthFailure.SecretIdNotFound", "The `SecretId` does not exist.", "密钥不存在。";
    SIGNATURE_EXPIRE = "AuthFailure.SignatureExpire", "The request is more than 5 minutes old or early, or its nonce was used before.", "签名过期。";
    SIGNATURE_FAILURE = "AuthFailure.SignatureFailure", "The signature does not verify.", "签名错误。";
    TOKEN_FAILURE = "AuthFailure.TokenFailure", "Temporary credentials are not issued here.", "不支持临时密钥。";
    AUTH_UNAUTHORIZED = "AuthFailure.UnauthorizedOperation", "The credential may not call this action.", "密钥无权调用该接口。";
    FAILED_OPERATION = "FailedOperation", "The action failed.", "操作失败。";
    ROOM_NOT_EXIST = "FailedOperation.RoomNotExist", "The room is not live.", "房间不存在。";
    SERVICE_SUSPENDED = "FailedOperation.ServiceSuspended", "The service is suspended; the message names every reason and what helps. This code is ours.", "服务已暂停。";
    USER_NOT_EXIST = "FailedOperation.UserNotExist", "The user is not in the room.", "用户不在房间内。";
    INTERNAL_ERROR = "InternalError", "The server failed; try again.", "内部错误。";
    DB_ERROR = "InternalError.DBError", "A database failed; try again.", "数据库错误。";
    INVALID_ACTION = "InvalidAction", "The service has no such action.", "接口不存在。";
    INVALID_PARAMETER = "InvalidParameter", "A parameter has the wrong type or form.", "参数错误。";
    END_TS = "InvalidParameter.EndTs", "The end of the window cannot be used.", "结束时间错误。";
    PAGE_NUMBER = "InvalidParameter.PageNumber", "The page number cannot be used.", "页码错误。";
    PAGE_SIZE = "InvalidParameter.PageSize", "The page size cannot be used.", "分页大小错误。";
    PAGE_SIZE_OVERSIZE = "InvalidParameter.PageSizeOversize", "The page is larger than allowed.", "分页大小超出限制。";
    QUERY_SCALE_OVERSIZE = "InvalidParameter.QueryScaleOversize", "The window is longer than allowed.", "查询范围超出限制。";
    START_TIME_EXPIRE = "InvalidParameter.StartTimeExpire", "The window begins before what is kept.", "开始时间已过期。";
    START_TIME_OVERSIZE = "InvalidParameter.StartTimeOversize", "The window is longer than allowed.", "查询时间跨度超出限制。";
    START_TS = "InvalidParameter.StartTs", "The start of the window cannot be used.", "开始时间错误。";
    USER_IDS_MORE_THAN_SIX = "InvalidParameter.UserIdsMorethanSix", "More than six users are named.", "用户数超过六个。";
    INVALID_PARAMETER_VALUE = "InvalidParameterValue", "A parameter has a value that is not allowed.", "参数取值错误。";
    INVALID_REQUEST = "InvalidRequest", "The request has no form that can be read.", "请求格式错误。";
    LIMIT_EXCEEDED = "LimitExceeded", "A quota is used up.", "超过配额限制。";
    MISSING_PARAMETER = "MissingParameter", "A parameter is missing.", "缺少参数。";
    NO_SUCH_PRODUCT = "NoSuchProduct", "The service is not offered here.", "产品不存在。";
    NO_SUCH_VERSION = "NoSuchVersion", "The service has no such version.", "接口版本不存在。";
    REQUEST_LIMIT_EXCEEDED = "RequestLimitExceeded", "Too many requests in a second; wait and try again.", "请求的次数超过了频率限制。";
    REQUEST_SIZE_LIMIT_EXCEEDED = "RequestSizeLimitExceeded", "The request is larger than allowed.", "请求包超过限制大小。";
    RESOURCE_NOT_FOUND = "ResourceNotFound", "What is asked for does not exist.", "资源不存在。";
    SERVICE_UNAVAILABLE = "ServiceUnavailable", "The server cannot answer now; try again.", "当前服务暂时不可用。";
    UNAUTHORIZED_OPERATION = "UnauthorizedOperation", "The credential may not do this.", "未授权操作。";
    UNAUTHORIZED_SDK_APP_ID = "UnauthorizedOperation.SdkAppId", "The application does not exist, or not under the credential.", "无权操作该应用。";
    UNKNOWN_PARAMETER = "UnknownParameter", "The action has no such parameter.", "未知参数。";
    UNSUPPORTED_OPERATION = "UnsupportedOperation", "The action is known, but not built here.", "操作不支持。";
}

/// Codes of single parameters that the vendor's trtc API has, for the parameters that are read here.
///
/// A parameter without one is answered with the family alone.
pub const PARAMETER_CODES: &[Code] = &[
    Code("InvalidParameter.EndTs"),
    Code("InvalidParameter.PageNumber"),
    Code("InvalidParameter.PageSize"),
    Code("InvalidParameter.RoomId"),
    Code("InvalidParameter.SdkAppId"),
    Code("InvalidParameter.StartTs"),
    Code("InvalidParameter.StrRoomId"),
    Code("InvalidParameter.UserId"),
    Code("InvalidParameter.UserIds"),
    Code("InvalidParameterValue.RoomId"),
    Code("MissingParameter.CommId"),
    Code("MissingParameter.EndTs"),
    Code("MissingParameter.RoomId"),
    Code("MissingParameter.SdkAppId"),
    Code("MissingParameter.StartTs"),
    Code("MissingParameter.UserId"),
    Code("MissingParameter.UserIds"),
];

/// `family.name` if the vendor has it, else `family`.
pub(crate) fn of_parameter(family: Code, name: &str) -> Code {
    let fits = |code: &&Code| {
        let rest = code.0.strip_prefix(family.0).and_then(|rest| rest.strip_prefix('.'));
        rest == Some(name)
    };
    PARAMETER_CODES.iter().find(fits).copied().unwrap_or(family)
}

/// The language of messages, by `X-TC-Language`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// `en-US`, and whatever is not known.
    #[default]
    English,
    /// `zh-CN`.
    Chinese,
}

impl Language {
    /// That of a header or parameter; anything unknown is English.
    pub fn of(header: Option<&str>) -> Self {
        match header {
            Some(text) if text.eq_ignore_ascii_case("zh-CN") => Self::Chinese,
            _ => Self::English,
        }
    }
}

/// An error as it is answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// Its code.
    pub code: Code,
    /// What was wrong and what is allowed, in English.
    pub message: String,
}

impl ApiError {
    /// An error of a code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The message in a language: in Chinese the sentence of the code, then the English detail.
    pub fn message_in(&self, language: Language) -> Cow<'_, str> {
        let family = self.code.0.split('.').next().unwrap_or_default();
        let named = |text: &str| CODES.iter().find(|row| row.code.0 == text);
        let row = named(self.code.0).or_else(|| named(family));
        match (language, row) {
            (Language::Chinese, Some(row)) if !row.chinese.is_empty() => {
                format!("{} ({})", row.chinese, self.message).into()
            }
            _ => self.message.as_str().into(),
        }
    }
}

/// The beginning of a text from outside, for messages.
pub(crate) fn shown(text: &str) -> String {
    if text.chars().count() <= SHOWN_LEN_MAX {
        return text.to_owned();
    }
    text.chars().take(SHOWN_LEN_MAX).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
