//! The packet path does not allocate: counted by the allocator, on this thread. What the crypto library would take
//! from C's allocator is not counted here; it works in contexts that lie within its keys or on the stack.

use std::hint::black_box;

use allocation_counter::measure;
use fermata_srtp::{Opener, Profile, ReplayWindow, Sealer};

/// The counter counts: else the other tests would prove nothing.
#[test]
fn the_counter_counts() {
    let counted = measure(|| drop(black_box(vec![1_u8; black_box(100)])));
    assert_eq!(counted.count_total, 1);
}

#[test]
fn sealing_and_opening_do_not_allocate() {
    for profile in Profile::ALL {
        let (key, salt) = (vec![1; profile.key_len()], vec![2; profile.salt_len()]);
        let sealer = Sealer::new(profile, &key, &salt).unwrap();
        let opener = Opener::new(profile, &key, &salt).unwrap();
        let mut window = ReplayWindow::new();
        let mut packet = vec![0x80; 1_200 + profile.tag_len()];
        let mut report = Vec::with_capacity(200);

        let counted = measure(|| {
            for index in 65_000_u64..66_000 {
                let [.., high, low] = index.to_be_bytes();
                packet[2..4].copy_from_slice(&[high, low]);
                sealer.seal_rtp(&mut packet, 20, u32::try_from(index >> 16).unwrap()).unwrap();
                let estimated = window.estimate(u16::from_be_bytes([high, low])).unwrap();
                let roc = u32::try_from(estimated >> 16).unwrap();
                let end = opener.open_rtp(&mut packet, 20, roc).unwrap();
                window.commit(estimated);
                assert_eq!((end, estimated), (1_200, index));
            }
        });
        assert_eq!(counted.count_total, 0, "{profile}: RTP");

        let counted = measure(|| {
            for index in 0..100 {
                report.clear();
                report.extend_from_slice(&[0x81; 100]);
                sealer.seal_rtcp(&mut report, index).unwrap();
                assert_eq!(opener.open_rtcp(&mut report), Ok((100, index)));
            }
        });
        assert_eq!(counted.count_total, 0, "{profile}: RTCP, with room in the vector");

        // Refusals are as frequent as an attacker likes.
        let counted = measure(|| {
            for _ in 0..100 {
                packet[30] ^= 1;
                assert!(opener.open_rtp(&mut packet, 20, 0).is_err());
                assert!(opener.open_rtp(&mut packet[..20], 20, 0).is_err());
                report[9] ^= 1;
                assert!(opener.open_rtcp(&mut report).is_err());
            }
        });
        assert_eq!(counted.count_total, 0, "{profile}: refused packets");
    }
}
