//! What robots do with media: mixing, relay, recording, ingest, slicing, moderation. Nothing of it is built yet.
//!
//! Starting a task is as entering a room; changing one keeps to what runs; stopping one and asking for it
//! stay open in every state.

use fermata_billing::effect::OperationClass::{Api, Dismiss, Join, RunningTask};

use super::Group;
use crate::action::Editions::{Both, Cn};
use crate::action::{Action, Category, Service};

const fn group(category: Category, why: &'static str) -> Group {
    Group { service: Service::Trtc, category, why }
}

const MIXING: Group = group(Category::Mix, "mixing and relay are not built yet");

const OLD_MIX: &str = "it is the older form of StartPublishCdnStream, which is not built yet";

pub(super) const MIX: &[Action] = &[
    MIXING.write("StartPublishCdnStream", Both, Join),
    MIXING.write("UpdatePublishCdnStream", Both, RunningTask),
    MIXING.write("StopPublishCdnStream", Both, Dismiss),
    MIXING.write("StartMCUMixTranscode", Cn, Join).not_yet(OLD_MIX),
    MIXING.write("StartMCUMixTranscodeByStrRoomId", Cn, Join).not_yet(OLD_MIX),
    MIXING.write("StopMCUMixTranscode", Cn, Dismiss).not_yet(OLD_MIX),
    MIXING.write("StopMCUMixTranscodeByStrRoomId", Cn, Dismiss).not_yet(OLD_MIX),
    MIXING.write("CreatePicture", Cn, Api),
    MIXING.write("DeletePicture", Cn, Api),
    MIXING.read("DescribePicture", Cn, Api),
    MIXING.write("ModifyPicture", Cn, Api),
];

const RECORDER: Group = group(Category::Recording, "recording is not built yet");

pub(super) const RECORDING: &[Action] = &[
    RECORDER.write("CreateCloudRecording", Both, Join),
    RECORDER.write("ModifyCloudRecording", Both, RunningTask),
    RECORDER.read("DescribeCloudRecording", Both, Dismiss),
    RECORDER.write("DeleteCloudRecording", Both, Dismiss),
];

const PULLER: Group = group(Category::Ingest, "pulling of streams is not built yet");

pub(super) const INGEST: &[Action] = &[
    PULLER.write("StartStreamIngest", Both, Join),
    PULLER.write("UpdateStreamIngest", Both, RunningTask),
    PULLER.read("DescribeStreamIngest", Both, Dismiss),
    PULLER.write("StopStreamIngest", Both, Dismiss),
];

const BROWSER: Group = group(Category::WebRecord, "recording of web pages is not built yet");

pub(super) const WEB: &[Action] = &[
    BROWSER.write("StartWebRecord", Both, Join),
    BROWSER.read("DescribeWebRecord", Both, Dismiss),
    BROWSER.write("StopWebRecord", Both, Dismiss),
];

const SLICER: Group = group(Category::Slicing, "slicing is not built yet");

pub(super) const SLICING: &[Action] = &[
    SLICER.write("CreateCloudSliceTask", Both, Join),
    SLICER.write("ModifyCloudSliceTask", Both, RunningTask),
    SLICER.read("DescribeCloudSliceTask", Both, Dismiss),
    SLICER.write("DeleteCloudSliceTask", Both, Dismiss),
];

const MODERATOR: Group = group(Category::Moderation, "moderation is not built yet");

pub(super) const MODERATION: &[Action] = &[
    MODERATOR.write("CreateCloudModeration", Both, Join),
    MODERATOR.write("ModifyCloudModeration", Both, RunningTask),
    MODERATOR.read("DescribeCloudModeration", Both, Dismiss),
    MODERATOR.write("DeleteCloudModeration", Both, Dismiss),
    MODERATOR.write("CreateLiveStreamModeration", Cn, Join),
    MODERATOR.read("DescribeLiveStreamModeration", Cn, Dismiss),
    MODERATOR.write("DeleteLiveStreamModeration", Cn, Dismiss),
    MODERATOR.write("CreateAudioModerationSync", Cn, Api),
];
