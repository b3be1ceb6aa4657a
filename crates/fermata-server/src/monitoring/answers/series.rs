//! Packed samples as the vendor's lines of quality data.

use std::collections::{BTreeSet, HashMap};

use fermata_monitor::{BlockKey, Direction, Metric, Series, Step, decode};
use fermata_store::monitoring::{Block, RoomLife};
use fermata_types::{Media, ParticipantSid, StaySample};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::AnswerError;
use super::check::refuse;
use crate::limits::MONITORING_POINTS_MAX;

/// One of the vendor's `DataType`s.
#[derive(Debug)]
pub(super) struct Line {
    name: &'static str,
    metric: Metric,
    media: Option<Media>,
    way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From the user.
    Up,
    /// To the user.
    Down,
    Both,
}

const fn line(name: &'static str, metric: Metric, media: Option<Media>, way: Way) -> Line {
    Line { name, metric, media, way }
}

const AUDIO: Option<Media> = Some(Media::Audio);
const VIDEO: Option<Media> = Some(Media::Video);
const SCREEN: Option<Media> = Some(Media::Screen);

/// What there is. Screens have names of ours, after the pattern of the vendor's; what begins with `down` tells of the
/// way to the user and is ours too.
const LINES: &[Line] = &[
    line("sysCpu", Metric::Cpu, None, Way::Up),
    line("rtt", Metric::RoundTrip, None, Way::Up),
    line("downEstimate", Metric::Estimate, None, Way::Up),
    line("downLimited", Metric::Limited, None, Way::Up),
    line("downPaused", Metric::Paused, None, Way::Up),
    line("downVia", Metric::Via, None, Way::Up),
    line("aBit", Metric::Bitrate, AUDIO, Way::Both),
    line("aBlock", Metric::Freeze, AUDIO, Way::Down),
    line("aLoss", Metric::Loss, AUDIO, Way::Both),
    line("bigvBit", Metric::Bitrate, VIDEO, Way::Both),
    line("bigvEncFps", Metric::FrameRate, VIDEO, Way::Up),
    line("bigvDecFps", Metric::FrameRate, VIDEO, Way::Down),
    line("bigvRecFps", Metric::FrameRate, VIDEO, Way::Down),
    line("bigvBlock", Metric::Freeze, VIDEO, Way::Down),
    line("bigvLoss", Metric::Loss, VIDEO, Way::Both),
    line("bigvWidth", Metric::Width, VIDEO, Way::Both),
    line("bigvHeight", Metric::Height, VIDEO, Way::Both),
    line("auxvBit", Metric::Bitrate, SCREEN, Way::Both),
    line("auxvEncFps", Metric::FrameRate, SCREEN, Way::Up),
    line("auxvDecFps", Metric::FrameRate, SCREEN, Way::Down),
    line("auxvBlock", Metric::Freeze, SCREEN, Way::Down),
    line("auxvLoss", Metric::Loss, SCREEN, Way::Both),
    line("auxvWidth", Metric::Width, SCREEN, Way::Both),
    line("auxvHeight", Metric::Height, SCREEN, Way::Both),
];

/// `DataType`s of the vendor that only its own clients could tell: allowed, and without data.
const UNMEASURED: &[&str] = &["appCpu", "bigvCapFps", "aCapEnergy", "aPlayEnergy"];

/// The lines that are asked for.
pub(super) fn lines(names: &[String]) -> Result<Vec<&'static Line>, AnswerError> {
    for name in names {
        let known = name == "all"
            || UNMEASURED.contains(&name.as_str())
            || LINES.iter().any(|line| line.name == name);
        if !known {
            let all: Vec<_> = LINES.iter().map(|line| line.name).collect();
            let name: String = name.chars().take(40).collect();
            let text = format!("DataType {name:?} is unknown; there are all, {}.", all.join(", "));
            return refuse("InvalidParameter", text);
        }
    }
    let asked = |line: &&Line| names.iter().any(|name| name == "all" || name == line.name);
    Ok(LINES.iter().filter(asked).collect())
}

/// A line of a stay.
#[derive(Debug)]
pub(super) struct Chart {
    name: &'static str,
    stay: ParticipantSid,
    series: Series,
}

/// Lines of all stays, from samples between `from` and `to`.
pub(super) fn charts(
    life: &RoomLife,
    blocks: &[Block],
    from: Timestamp,
    to: Timestamp,
    lines: &[&Line],
) -> Result<Vec<Chart>, AnswerError> {
    let metrics: BTreeSet<_> = lines.iter().map(|line| line.metric).collect();
    let metrics: Vec<_> = metrics.into_iter().collect();
    let mut charts = Vec::new();
    let mut points = 0;
    for of_stay in blocks.chunk_by(|a, b| a.stay == b.stay) {
        let samples = samples(life, of_stay, from, to);
        for series in fermata_monitor::series(&samples, &metrics, Step::Sample) {
            for line in lines.iter().filter(|line| line.fits(&series)) {
                points += series.points.len();
                if points > MONITORING_POINTS_MAX {
                    return refuse(
                        "InvalidParameter.QueryScaleOversize",
                        format!(
                            "The answer would have more than {MONITORING_POINTS_MAX} points; ask for fewer \
                             users, kinds of data or minutes."
                        ),
                    );
                }
                let stay = of_stay.first().map(|block| block.stay.clone());
                let (name, series) = (line.name, series.clone());
                charts.extend(stay.map(|stay| Chart { name, stay, series }));
            }
        }
    }
    Ok(charts)
}

impl Line {
    fn fits(&self, series: &Series) -> bool {
        let way = match series.direction {
            Direction::Up => Way::Up,
            Direction::Down(_) => Way::Down,
        };
        self.metric == series.metric
            && self.media == series.media
            && (self.way == Way::Both || self.way == way)
            && !series.points.is_empty()
    }
}

fn samples(life: &RoomLife, blocks: &[Block], from: Timestamp, to: Timestamp) -> Vec<StaySample> {
    let mut samples: Vec<StaySample> = Vec::new();
    for block in blocks {
        let (room_sid, stay) = (life.room_sid.clone(), block.stay.clone());
        let key = BlockKey { app: life.app, room_sid, stay };
        match decode(&key, &block.blob) {
            Ok(decoded) => samples.extend(decoded),
            Err(error) => tracing::warn!(%error, stay = %block.stay, "Samples cannot be read."),
        }
    }
    samples.retain(|sample| sample.at >= from && sample.at <= to);
    samples
}

/// Everybody whose media was received.
pub(super) fn peers(charts: &[Chart]) -> Vec<ParticipantSid> {
    let peers: BTreeSet<_> = charts.iter().filter_map(Chart::peer).collect();
    peers.into_iter().cloned().collect()
}

impl Chart {
    fn peer(&self) -> Option<&ParticipantSid> {
        match &self.series.direction {
            Direction::Up => None,
            Direction::Down(peer) => Some(peer),
        }
    }
}

/// The vendor's `QualityData`. A user who is not known any more is told by the id of its stay.
pub(super) fn answer(charts: &[Chart], names: &HashMap<ParticipantSid, String>) -> Vec<Value> {
    let row = |chart: &Chart| {
        let points = chart.series.points.iter();
        let content: Vec<_> = points
            .map(|point| json!({ "Time": point.at.as_second(), "Value": point.as_f64() }))
            .collect();
        json!({
            "Content": content,
            "UserId": name(names, &chart.stay),
            "PeerId": chart.peer().map_or("", |peer| name(names, peer)),
            "DataType": chart.name,
        })
    };
    charts.iter().map(row).collect()
}

fn name<'a>(names: &'a HashMap<ParticipantSid, String>, sid: &'a ParticipantSid) -> &'a str {
    names.get(sid).map_or(sid.as_str(), String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_data_are_judged() {
        let ask = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            lines(&names).map(|lines| lines.iter().map(|line| line.name).collect::<Vec<_>>())
        };
        assert_eq!(ask(&["all"]).unwrap().len(), LINES.len());
        assert_eq!(ask(&["bigvBit", "rtt"]).unwrap(), ["rtt", "bigvBit"]);
        assert_eq!(ask(&["appCpu"]).unwrap(), [""; 0]);
        let error = ask(&["rtt", "x"]).unwrap_err();
        assert_eq!(error.code(), "InvalidParameter");
        assert!(error.to_string().contains("\"x\""), "{error}");
    }
}
