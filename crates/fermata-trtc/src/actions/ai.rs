//! The AI service: conversation, transcription, speech, voiceprints, hot words. Nothing of it is built yet.

use fermata_billing::effect::OperationClass::{Api, Dismiss, Join, RunningTask};

use super::Group;
use crate::action::Editions::{Both, Cn, Intl};
use crate::action::{Action, Category, Service};

const AI: Group = Group {
    service: Service::Trtc,
    category: Category::Ai,
    why: "the AI service is not built yet",
};

pub(super) const ROWS: &[Action] = &[
    AI.write("StartAIConversation", Both, Join),
    AI.write("UpdateAIConversation", Both, RunningTask),
    AI.write("ControlAIConversation", Both, RunningTask),
    AI.read("DescribeAIConversation", Both, Dismiss),
    AI.write("StopAIConversation", Both, Dismiss),
    AI.read("QueryAIMessageList", Intl, Api),
    AI.write("StartAITranscription", Both, Join),
    AI.read("DescribeAITranscription", Both, Dismiss),
    AI.write("StopAITranscription", Both, Dismiss),
    AI.write("CreateCloudTranscription", Both, Join),
    AI.read("DescribeCloudTranscription", Both, Dismiss),
    AI.write("DeleteCloudTranscription", Both, Dismiss),
    AI.write("TextToSpeech", Both, Api),
    AI.write("TextToSpeechSSE", Both, Api),
    AI.write("AsyncTextToSpeech", Cn, Api),
    AI.read("DescribeAsyncTextToSpeech", Cn, Dismiss),
    AI.write("VoiceClone", Both, Api),
    AI.write("RegisterVoicePrint", Cn, Api),
    AI.write("UpdateVoicePrint", Cn, Api),
    AI.read("DescribeVoicePrint", Cn, Api),
    AI.write("DeleteVoicePrint", Cn, Api),
    AI.write("CreateRecognizeVocabV3", Cn, Api),
    AI.write("UpdateRecognizeVocabV3", Cn, Api),
    AI.read("GetRecognizeVocabV3", Cn, Api),
    AI.read("GetRecognizeVocabListV3", Cn, Api),
    AI.read("DownloadRecognizeVocabV3", Cn, Api),
    AI.write("SetVocabStateV3", Cn, Api),
    AI.write("DeleteRecognizeVocabV3", Cn, Api),
];
