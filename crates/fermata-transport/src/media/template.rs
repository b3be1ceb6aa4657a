//! RTP headers of a section as they stand but for what changes with every packet, so that writing one is a copy of
//! fixed length and a few stores.

use fermata_rtp::{extension, header};

use crate::event::DependencyOut;
use crate::id::Mid;
use crate::parts::ExtensionIds;

/// Longest header written here, bytes: the fixed part, and room for a long name beside the other extensions.
const LEN_MAX: usize = 48;

/// Which extensions a packet carries, of those that were agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shape {
    /// The section's name.
    pub(super) mid: bool,
    /// Send time and transport-wide number: what changes when a packet is sent again.
    pub(super) changing: bool,
    /// Audio level.
    pub(super) level: bool,
    /// Which form they have.
    pub(super) form: header::Form,
}

/// What differs from packet to packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values {
    pub(super) marker: bool,
    /// 0 to 127.
    pub(super) payload_type: u8,
    /// Low 16 bits.
    pub(super) sequence_number: u16,
    /// RTP time.
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
    /// Content of the absolute send time.
    pub(super) send_time: [u8; 3],
    /// Transport-wide number.
    pub(super) twcc: u16,
    /// Content of the audio level.
    pub(super) level: [u8; 1],
}

/// A header with zeros where values go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Template {
    bytes: [u8; LEN_MAX],
    len: u8,
    /// Where the extensions end, before what fills them up to whole words.
    end: u8,
    form: header::Form,
    /// Where values go; 0: nowhere.
    send_time: u8,
    twcc: u8,
    level: u8,
}

impl Template {
    /// `None` if the extensions do not fit, or have no such form.
    pub(super) fn new(shape: Shape, mid: Mid, ids: &ExtensionIds) -> Option<Self> {
        let wanted: [(Option<u8>, &[u8]); 4] = [
            (ids.mid.filter(|_| shape.mid), mid.as_str().as_bytes()),
            (ids.abs_send_time.filter(|_| shape.changing), &[0; 3]),
            (ids.transport_cc.filter(|_| shape.changing), &[0; 2]),
            (ids.audio_level.filter(|_| shape.level), &[0; 1]),
        ];
        let mut list: [(u8, &[u8]); 4] = [(0, &[]); 4];
        let mut places = [0_u8; 4];
        let (mut count, mut at) = (0, header::FIXED_LEN + 4);
        for ((id, content), own) in wanted.into_iter().zip(&mut places) {
            if let (Some(id), Some(place)) = (id, list.get_mut(count)) {
                *place = (id, content);
                *own = u8::try_from(at + shape.form.tag_len()).ok()?;
                at += shape.form.tag_len() + content.len();
                count += 1;
            }
        }
        let nothing = header::HeaderOut {
            marker: false,
            payload_type: 0,
            sequence_number: 0,
            timestamp: 0,
            ssrc: 0,
        };
        let mut bytes = [0; LEN_MAX];
        let len = header::write(&nothing, list.get(..count)?, shape.form, &mut bytes)?;
        let [_, send_time, twcc, level] = places;
        let end = if count == 0 { header::FIXED_LEN } else { at };
        let (len, end) = (u8::try_from(len).ok()?, u8::try_from(end).ok()?);
        Some(Self { bytes, len, end, form: shape.form, send_time, twcc, level })
    }

    /// Bytes of the header.
    pub(super) fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Bytes of the header with that descriptor, if there is one.
    pub(super) fn len_for(&self, dependency: Option<&DependencyOut<'_>>) -> usize {
        dependency.map_or(self.len(), |DependencyOut { descriptor, targets, rewrite }| {
            header::len_with(self.end.into(), self.form, rewrite.len(descriptor, *targets))
        })
    }

    /// Adds a dependency descriptor to a header that was just written, as changed.
    pub(super) fn add(
        &self,
        id: u8,
        dependency: &DependencyOut<'_>,
        packet: &mut [u8],
    ) -> Option<()> {
        let DependencyOut { descriptor, targets, rewrite } = dependency;
        let len = rewrite.len(descriptor, *targets);
        let place = header::append(packet, self.end.into(), self.form, id, len)?;
        rewrite.write(descriptor, *targets, place)?;
        Some(())
    }

    /// Writes a header to the front of a packet, and perhaps something of no meaning behind it, where the payload
    /// comes. `None` if it does not fit.
    pub(super) fn write(&self, values: &Values, packet: &mut [u8]) -> Option<()> {
        let Self { send_time, twcc, level, .. } = *self;
        if let Some(front) = packet.first_chunk_mut::<LEN_MAX>() {
            // Of fixed length, it is two or three moves.
            *front = self.bytes;
        } else {
            packet.get_mut(..self.len())?.copy_from_slice(self.bytes.get(..self.len())?);
        }
        let [s0, s1] = values.sequence_number.to_be_bytes();
        let [t0, t1, t2, t3] = values.timestamp.to_be_bytes();
        let [c0, c1, c2, c3] = values.ssrc.to_be_bytes();
        let second = u8::from(values.marker) << 7 | values.payload_type & 0x7f;
        *packet.get_mut(1..)?.first_chunk_mut()? = [second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3];
        put(packet, send_time, values.send_time)?;
        put(packet, twcc, values.twcc.to_be_bytes())?;
        put(packet, level, values.level)
    }
}

/// Stores a value in its place, if it has one.
fn put<const N: usize>(packet: &mut [u8], at: u8, value: [u8; N]) -> Option<()> {
    if at > 0 {
        *packet.get_mut(usize::from(at)..)?.first_chunk_mut()? = value;
    }
    Some(())
}

/// Content of the audio level extension.
pub(super) fn level_of(level_db: Option<i8>, voice: Option<bool>) -> [u8; 1] {
    level_db.map_or([0], |level| extension::write_audio_level(level, voice == Some(true)))
}

#[cfg(test)]
mod tests {
    use fermata_rtp::dependency::Rewrite;

    use super::*;

    const VALUES: Values = Values {
        marker: true,
        payload_type: 96,
        sequence_number: 0x1234,
        timestamp: 0x5566_7788,
        ssrc: 0x99aa_bbcc,
        send_time: [1, 2, 3],
        twcc: 0xfedc,
        level: [0x94],
    };

    #[test]
    fn a_template_is_what_the_header_would_be() {
        let mid = Mid::from("17");
        let all = ExtensionIds {
            mid: Some(4),
            abs_send_time: Some(2),
            transport_cc: Some(3),
            audio_level: Some(1),
            ..ExtensionIds::default()
        };
        let head = header::HeaderOut {
            marker: true,
            payload_type: 96,
            sequence_number: 0x1234,
            timestamp: 0x5566_7788,
            ssrc: 0x99aa_bbcc,
        };
        for ids in [all, ExtensionIds { abs_send_time: None, ..all }, ExtensionIds::default()] {
            for bits in 0..16 {
                let form = if bits & 8 > 0 { header::Form::TwoByte } else { header::Form::OneByte };
                let (mid_too, changing, level) = (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0);
                let shape = Shape { mid: mid_too, changing, level, form };
                let wanted: [(Option<u8>, &[u8]); 4] = [
                    (ids.mid.filter(|_| shape.mid), b"17"),
                    (ids.abs_send_time.filter(|_| shape.changing), &[1, 2, 3]),
                    (ids.transport_cc.filter(|_| shape.changing), &[0xfe, 0xdc]),
                    (ids.audio_level.filter(|_| shape.level), &[0x94]),
                ];
                let list: Vec<(u8, &[u8])> =
                    wanted.into_iter().filter_map(|(id, content)| Some((id?, content))).collect();
                let mut expected = [0xee; 100];
                let len = header::write(&head, &list, form, &mut expected).expect("it fits");
                let template = Template::new(shape, mid, &ids).expect("it fits");
                assert_eq!(template.len(), len, "{shape:?}");
                // With much room behind it, with none, and with too little.
                for room in [100, LEN_MAX, len] {
                    let mut packet = vec![0xaa; room];
                    assert_eq!(template.write(&VALUES, &mut packet), Some(()));
                    assert_eq!(packet[..len], expected[..len], "{shape:?}");
                }
                assert_eq!(template.write(&VALUES, &mut vec![0; len - 1]), None);
                dependency_is_added(&template, &head, list, form);
            }
        }
    }

    /// A descriptor that goes out behind the other extensions.
    fn dependency_is_added(
        template: &Template,
        head: &header::HeaderOut,
        mut list: Vec<(u8, &[u8])>,
        form: header::Form,
    ) {
        let rewrite = Rewrite { number: 0x0102, active: 0 };
        let dependency = DependencyOut { descriptor: &[0xc0, 0, 0], targets: 1, rewrite };
        list.push((12, &[0xc0, 1, 2]));
        let mut expected = [0xee; 100];
        let len = header::write(head, &list, form, &mut expected).expect("it fits");
        assert_eq!(template.len_for(Some(&dependency)), len);
        let mut packet = vec![0xaa; len];
        assert_eq!(template.write(&VALUES, &mut packet), Some(()));
        assert_eq!(template.add(12, &dependency, &mut packet), Some(()));
        assert_eq!(packet[..], expected[..len]);
        assert_eq!(template.add(12, &dependency, &mut packet[..len - 1]), None);
    }

    #[test]
    fn the_longest_name_fits() {
        let ids = ExtensionIds {
            mid: Some(4),
            abs_send_time: Some(2),
            transport_cc: Some(3),
            audio_level: Some(1),
            ..ExtensionIds::default()
        };
        let mid = Mid::from("0123456789abcdef");
        for (form, len) in [(header::Form::OneByte, 44), (header::Form::TwoByte, 48)] {
            let shape = Shape { mid: true, changing: true, level: true, form };
            assert_eq!(Template::new(shape, mid, &ids).map(|template| template.len()), Some(len));
        }
    }

    #[test]
    fn levels_are_written_only_if_known() {
        assert_eq!(level_of(Some(-20), Some(true)), [0x94]);
        assert_eq!(level_of(None, Some(true)), [0]);
    }
}
