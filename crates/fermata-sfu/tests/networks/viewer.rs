//! Who receives: what it decodes, when, and what it asks for. Feedback, negative acknowledgements and reports are the
//! engine's own.

use fermata_testkit::synth;

use crate::support::media::Ms;
use crate::support::media::decoder::Decoder;
use crate::support::media::source::Mark;
use crate::support::{Client, Received, World};

/// So long a missing packet may come again: some round trips.
const PATIENCE: Ms = 1_000;

/// A receiver of one camera and one microphone.
#[derive(Debug)]
pub(crate) struct Viewer {
    /// Place among the clients.
    pub(crate) client: usize,
    camera: String,
    pub(crate) decoder: Decoder,
    /// Packets of video that came, with when and how long they are.
    pub(crate) packets: Vec<(Ms, Mark, usize)>,
    /// When packets of sound came, and when they were sent.
    pub(crate) sounds: Vec<(Ms, Ms)>,
    section: Option<String>,
}

impl Viewer {
    pub(crate) fn new(client: usize, camera: &str) -> Self {
        Self {
            client,
            camera: camera.to_owned(),
            decoder: Decoder::new(PATIENCE),
            packets: Vec::new(),
            sounds: Vec::new(),
            section: None,
        }
    }

    /// Takes what came, and asks for a keyframe where one is needed.
    pub(crate) fn listen(&mut self, world: &mut World, now: Ms) {
        let instant = world.now.instant;
        let client = &mut world.clients[self.client];
        let single = client.single;
        let camera = camera_section(client, &self.camera);
        let peer = client.down.as_mut().filter(|_| !single).unwrap_or(&mut client.up);
        for packet in std::mem::take(&mut peer.received) {
            let of_camera = match &camera {
                Some(section) => packet.mid == *section,
                None => packet.track == self.camera,
            };
            if of_camera {
                self.section.get_or_insert_with(|| packet.mid.clone());
                self.picture(now, &packet);
            } else {
                let sent = synth::Stamp::read(&packet.payload).unwrap().sent_us / 1_000;
                self.sounds.push((now, sent));
            }
        }
        if let Some(section) = self.section.as_ref().filter(|_| self.decoder.time(now)) {
            peer.ask_keyframe(instant, section);
        }
    }

    fn picture(&mut self, now: Ms, packet: &Received) {
        let mark = Mark::read(&packet.payload).unwrap();
        let begins = synth::read_vp8(&packet.payload).unwrap().keyframe.is_some();
        self.packets.push((now, mark, packet.payload.len()));
        self.decoder.packet(now, packet.seq, mark, begins);
    }
}

/// The section of a track, for whoever has one connection for both directions.
fn camera_section(client: &Client, camera: &str) -> Option<String> {
    let mut sections = client.mids.iter().filter(|_| client.single);
    sections.find(|(_, sid)| *sid == camera).map(|(section, _)| section.clone())
}
