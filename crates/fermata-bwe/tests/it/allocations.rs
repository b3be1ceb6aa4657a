//! The controller allocates nothing: counted by the allocator, on this thread.

use std::hint::black_box;

use allocation_counter::measure;
use fermata_bwe::{Config, Controller, Outcome};

/// The counter counts: else the other test would prove nothing.
#[test]
fn the_counter_counts() {
    let counted = measure(|| drop(black_box(vec![1_u8; black_box(100)])));
    assert_eq!(counted.count_total, 1);
}

#[test]
fn feedback_and_probes_do_not_allocate() {
    let config = Config { start_bps: 300_000, min_bps: 50_000, max_bps: 5_000_000 };
    let mut outcomes = Vec::with_capacity(64);
    let mut probes = 0;
    let counted = measure(|| {
        let mut controller = Controller::new(config);
        for tenth in 0..600_u64 {
            outcomes.clear();
            let now_us = tenth * 100_000 + 150_000;
            let probe = controller.poll_probe(now_us).map(|probe| probe.id);
            probes += u32::from(probe.is_some());
            for index in 0..20 {
                let sent_us = 1 + tenth * 100_000 + index * 5_000;
                controller.on_sent(sent_us, 1_000);
                let arrived_us = (index != 7).then_some(sent_us + tenth % 9 * 3_000);
                outcomes.push(Outcome { sent_us, len_bytes: 1_000, arrived_us, probe });
            }
            controller.on_feedback(now_us, &outcomes, Some(50_000));
            controller.on_timeout(now_us);
            controller.set_wanted(now_us, 1_000_000 + tenth * 10_000);
        }
        black_box(controller.state());
    });
    assert!(probes > 0, "none was sent");
    assert_eq!(counted.count_total, 0);
}
