//! The table of metrics. A new metric is a row here.

use fermata_node::NodeStats;
use fermata_sfu::SfuStats;
use fermata_store::StoreStats;
use fermata_turn::TurnStats;

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
}

impl Type {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// Takes a value out of a reading.
pub(super) type Read<S> = fn(&S) -> u64;

/// A metric and where its value is read.
#[derive(Debug)]
pub(super) struct Row<R> {
    pub(super) name: &'static str,
    pub(super) kind: Type,
    pub(super) help: &'static str,
    pub(super) read: R,
}

macro_rules! own {
    ($($variant:ident $kind:ident $name:literal $help:literal;)*) => {
        /// A counter or gauge of this crate.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Metric { $(#[doc = $help] $variant,)* }

        /// Rows of [`Metric`], in its order.
        pub(super) const OWN: &[Row<()>] =
            &[$(Row { name: $name, kind: Type::$kind, help: $help, read: () },)*];
    };
}

own! {
    HttpConnections Gauge "fermata_http_connections" "HTTP and WebSocket connections that are open.";
    HttpConnectionsRefused Counter "fermata_http_connections_refused_total" "Connections closed at once because there were as many as may be.";
    HttpConnectionsRefusedAddress Counter "fermata_http_connections_refused_address_total" "Connections closed at once because their address had as many as one may have.";
    HttpConnectionsFailed Counter "fermata_http_connections_failed_total" "Connections that ended with an error before a request was answered, such as failed TLS handshakes.";
    HttpForeign Counter "fermata_http_foreign_total" "Requests refused in development mode because Host or Origin is not of this machine.";
    HttpTimeouts Counter "fermata_http_timeouts_total" "Requests given up because they took too long.";
    UdpDropped Counter "fermata_udp_dropped_total" "Datagrams that the kernel dropped because the buffer of a media socket was full; read every five seconds, 0 where the kernel tells nothing.";
    WsConnections Gauge "fermata_ws_connections" "Signalling WebSockets that are open.";
    WsMessagesIn Counter "fermata_ws_messages_in_total" "Messages read from signalling WebSockets.";
    WsMessagesOut Counter "fermata_ws_messages_out_total" "Messages written to signalling WebSockets.";
    WsMalformed Counter "fermata_ws_malformed_total" "Messages of signalling WebSockets that could not be read.";
    WsLimited Counter "fermata_ws_limited_total" "Signalling WebSockets closed because the client sent too many messages.";
    WsSlow Counter "fermata_ws_slow_total" "Signalling WebSockets closed because the client did not read.";
    WsSilent Counter "fermata_ws_silent_total" "Signalling WebSockets closed because the client answered no ping.";
    Refusals Counter "fermata_refusals_total" "Joins, validations and exchanges that were refused with a reason.";
    ApiUnauthorized Counter "fermata_api_unauthorized_total" "Requests to the operator API without a valid token.";
    ConsoleSignIns Counter "fermata_console_sign_ins_total" "Sessions of the console that were begun.";
    ConsoleSignInsFailed Counter "fermata_console_sign_ins_failed_total" "Wrong names, passwords and one-time codes at the console.";
    ConsoleSignInsThrottled Counter "fermata_console_sign_ins_throttled_total" "Attempts at the console refused because there were too many before.";
    ServerApiRates Gauge "fermata_server_api_rates" "Pairs of an account and an action whose calls of the vendor's server API are counted.";
    ServerApiNonces Gauge "fermata_server_api_nonces" "Nonces of older signatures that are remembered.";
    ServerApiBodiesRefused Counter "fermata_server_api_bodies_refused_total" "Calls of the vendor's server API refused because too many large requests were being read.";
    TimersFired Counter "fermata_timers_fired_total" "Timers of the standing policy that the scheduler fired; those that fire on the way of a call are not among them.";
    TimerLateness Gauge "fermata_timer_lateness_seconds" "How late the last timer was that the scheduler fired.";
    TimersOverdue Gauge "fermata_timers_overdue_seconds" "For how long the oldest timer that is due has been due; 0 if none is.";
    SchedulerFailures Counter "fermata_scheduler_failures_total" "Times that due timers could not be fired; they are tried again.";
    VerdictsTold Counter "fermata_verdicts_told_total" "Changed verdicts that the media node was told.";
    EnforceFailures Counter "fermata_enforce_failures_total" "Times that an account's standing could not be brought to the media node; it is tried again.";
    StandingRefreshFailures Counter "fermata_standing_refresh_failures_total" "Times that the standings of all accounts could not be read.";
    StandingStale Gauge "fermata_standing_stale" "1 while newcomers are refused because standings could not be read for too long.";
    NoticesWaiting Gauge "fermata_notices_waiting" "Deliveries of notices in the outbox.";
    NoticesDead Gauge "fermata_notices_dead" "Deliveries of notices that were given up and are kept.";
    NoticesDelivered Counter "fermata_notices_delivered_total" "Deliveries of notices that arrived on every channel.";
    NoticeAttemptsFailed Counter "fermata_notice_attempts_failed_total" "Attempts to deliver a notice that failed.";
    NoticesGivenUp Counter "fermata_notices_given_up_total" "Deliveries of notices that were given up.";
    WebhooksRefused Counter "fermata_webhooks_refused_total" "Attempts to deliver a webhook that were not made because its address is not public.";
    HalfDeliveredForgotten Counter "fermata_half_delivered_forgotten_total" "Half-delivered notices whose first half may be repeated because too many were remembered.";
    OutboxFailures Counter "fermata_outbox_failures_total" "Times that the outbox could not be read or written; it is tried again.";
    MonitoringStays Gauge "fermata_monitoring_stays" "Stays that are watched for monitoring.";
    MonitoringDropped Counter "fermata_monitoring_dropped_total" "Events and samples that were not recorded because too much waited or too many were watched.";
    MonitoringRowsLost Counter "fermata_monitoring_rows_lost_total" "Rows that were not recorded because the monitoring database could not be written.";
    MonitoringEvicted Counter "fermata_monitoring_evicted_total" "Rows of monitoring that went before their time because there were too many bytes.";
    MonitoringBytes Gauge "fermata_monitoring_bytes" "Bytes that the monitoring database uses.";
    MonitoringRenewed Gauge "fermata_monitoring_renewed" "Times since the start that a damaged monitoring database was set aside.";
    MonitoringUnsettled Counter "fermata_monitoring_unsettled_total" "Questions about monitoring that were answered without what was recorded just before.";
    CallbacksWaiting Gauge "fermata_callbacks_waiting" "Callbacks and webhooks of applications that wait or are being tried.";
    CallbacksUnderWay Gauge "fermata_callbacks_under_way" "Attempts to deliver a callback or webhook that are under way.";
    CallbacksDelivered Counter "fermata_callbacks_delivered_total" "Callbacks and webhooks that arrived.";
    CallbackAttemptsFailed Counter "fermata_callback_attempts_failed_total" "Attempts to deliver a callback or webhook that failed.";
    CallbacksFailed Counter "fermata_callbacks_failed_total" "Callbacks and webhooks that were given up after their attempts; they can be replayed.";
    CallbacksOverLimit Counter "fermata_callbacks_over_limit_total" "Callbacks and webhooks given up at once because too many waited; they can be replayed.";
    CallbacksDropped Counter "fermata_callbacks_dropped_total" "Callbacks and webhooks that were lost because they could not be written down as fast as they came.";
    CallbackStoreFailures Counter "fermata_callback_store_failures_total" "Times that the outbox of callbacks could not be read or written; it is tried again.";
    CallbackTracksForgotten Counter "fermata_callback_tracks_forgotten_total" "Rooms and tracks that callbacks could not follow because there were too many.";
    TlsReloads Counter "fermata_tls_reloads_total" "Times that changed certificate files were taken into use.";
    TlsReloadsFailed Counter "fermata_tls_reloads_failed_total" "Times that changed certificate files could not be used.";
    TwirpErrors Counter "fermata_twirp_errors_total" "Calls of LiveKit's server APIs that were answered with an error.";
    AgentWorkers Gauge "fermata_agent_workers" "Agent workers that are connected and registered.";
    AgentJobs Gauge "fermata_agent_jobs" "Jobs of agents that are offered to workers or run.";
    AgentJobsAssigned Counter "fermata_agent_jobs_assigned_total" "Jobs that an agent worker took.";
    AgentJobsEnded Counter "fermata_agent_jobs_ended_total" "Jobs that ended after a worker had taken them.";
    AgentJobsFailed Counter "fermata_agent_jobs_failed_total" "Jobs that ended badly after a worker had taken them.";
    AgentJobsUntaken Counter "fermata_agent_jobs_untaken_total" "Jobs that no agent worker took.";
    AgentUnanswered Counter "fermata_agent_unanswered_total" "Offers of a job that an agent worker did not answer in time.";
    AgentLimited Counter "fermata_agent_limited_total" "Agent workers, dispatches, jobs and rooms beyond a named limit.";
    AgentEventsDropped Counter "fermata_agent_events_dropped_total" "News of rooms that the dispatcher of agents could not take in time.";
    AgentWorkersSlow Counter "fermata_agent_workers_slow_total" "Agent workers disconnected because they did not read.";
    AgentMalformed Counter "fermata_agent_malformed_total" "Messages of agent workers that could not be read.";
}

macro_rules! read {
    ($stats:ty; $($field:ident $kind:ident $name:literal $help:literal;)*) => {
        &[$(Row {
            name: $name,
            kind: Type::$kind,
            help: $help,
            read: (|stats| stats.$field.into()) as Read<$stats>,
        },)*]
    };
}

/// Rows read from the node.
pub(super) const NODE: &[Row<Read<NodeStats>>] = read! { NodeStats;
    send_dropped_full Counter "fermata_datagrams_dropped_full_total" "Datagrams that the kernel did not take because its buffer was full.";
    send_failed Counter "fermata_datagrams_send_failed_total" "Datagrams that could not be sent for another reason.";
    receive_failed Counter "fermata_datagrams_receive_failed_total" "Errors while receiving datagrams.";
    tcp_connections Gauge "fermata_tcp_connections" "TCP connections of media that are open.";
    tcp_accepted Counter "fermata_tcp_connections_accepted_total" "TCP connections of media taken in.";
    tcp_refused_full Counter "fermata_tcp_connections_refused_total" "TCP connections of media closed at once because there were as many as may be.";
    tcp_refused_address Counter "fermata_tcp_connections_refused_address_total" "TCP connections of media closed at once because their address had as many as one may have.";
    tcp_accept_failed Counter "fermata_tcp_accept_failed_total" "Failed attempts to take in a TCP connection of media.";
    tcp_closed_malformed Counter "fermata_tcp_connections_malformed_total" "TCP connections of media closed because they sent what no client sends.";
    tcp_closed_unproved Counter "fermata_tcp_connections_unproved_total" "TCP connections of media closed because they did not prove in time to be of a participant.";
    tcp_closed_idle Counter "fermata_tcp_connections_idle_total" "TCP connections of media closed because their participant was silent on them or gone.";
    tcp_send_dropped_full Counter "fermata_tcp_dropped_full_total" "Datagrams dropped because too much waited for their TCP connection.";
    tcp_send_gone Counter "fermata_tcp_dropped_gone_total" "Datagrams for TCP connections that were gone.";
    signal_queue_full Counter "fermata_signal_queue_full_total" "Signalling connections closed because their queue was full.";
    signal_dropped_gone Counter "fermata_signals_dropped_gone_total" "Messages for signalling connections that were gone.";
    joins_refused_unwritable Counter "fermata_joins_refused_unwritable_total" "Joins refused because usage could not be written.";
    events_dropped Counter "fermata_node_events_dropped_total" "Events of rooms that nobody took in time.";
    requests_refused Counter "fermata_node_requests_refused_total" "API requests refused because too many were outstanding.";
    usage_queue_full Counter "fermata_usage_queue_full_total" "Usage facts that went the slow way because the log writer's queue was full.";
    usage_records Counter "fermata_usage_records_total" "Records appended to the usage log.";
    usage_syncs Counter "fermata_usage_syncs_total" "Times the usage log was synced to disk.";
    usage_write_failures Counter "fermata_usage_write_failures_total" "Failed attempts to write the usage log.";
    usage_writable Gauge "fermata_usage_writable" "1 while usage can be written down; 0 while newcomers are refused because it cannot.";
    usage_pending Gauge "fermata_usage_pending_facts" "Usage facts waiting to be acknowledged by the store.";
    usage_reports Counter "fermata_usage_reports_total" "Usage reports acknowledged by the store.";
    usage_report_failures Counter "fermata_usage_report_failures_total" "Failed attempts to report usage to the store.";
    usage_facts_lost Counter "fermata_usage_facts_lost_total" "Usage facts lost because neither log nor store took them for too long. Must stay 0.";
    usage_replayed Counter "fermata_usage_replayed_total" "Usage records of an earlier run that were replayed at the start.";
    usage_torn Counter "fermata_usage_torn_total" "Torn or damaged ends of the usage log found at the start.";
    stays_lost Counter "fermata_stays_lost_total" "Stays of an earlier run closed at its last heartbeat.";
};

/// Rows read from the media plane.
pub(super) const SFU: &[Row<Read<SfuStats>>] = read! { SfuStats;
    rooms Gauge "fermata_rooms" "Rooms that are alive.";
    participants Gauge "fermata_participants" "Participants in rooms, vanished ones that are still kept included.";
    participants_connecting Gauge "fermata_participants_connecting" "Participants whose media has never connected so far.";
    participants_constrained Gauge "fermata_participants_constrained" "Participants whose path has no room for all that they want to receive.";
    tracks Gauge "fermata_tracks" "Published tracks.";
    subscriptions Gauge "fermata_subscriptions" "Pairs of a subscriber and a track.";
    transports Gauge "fermata_transports" "WebRTC connections.";
    transports_udp Gauge "fermata_transports_udp" "WebRTC connections whose media goes over UDP, relayed ones included.";
    transports_tcp Gauge "fermata_transports_tcp" "WebRTC connections whose media goes over TCP.";
    joins_admitted Counter "fermata_joins_admitted_total" "Joins admitted, resumes not counted.";
    joins_refused Counter "fermata_joins_refused_total" "Joins refused by admission.";
    resumes Counter "fermata_resumes_total" "Stays that were resumed.";
    resumes_unknown Counter "fermata_resumes_unknown_total" "Resumes of participants that were not there.";
    datagrams_in Counter "fermata_datagrams_in_total" "Datagrams received.";
    datagrams_out Counter "fermata_datagrams_out_total" "Datagrams sent.";
    bytes_in Counter "fermata_datagram_bytes_in_total" "Bytes of datagrams received.";
    bytes_out Counter "fermata_datagram_bytes_out_total" "Bytes of datagrams sent.";
    datagrams_unknown Counter "fermata_datagrams_unknown_total" "Datagrams that belong to no connection.";
    malformed_datagrams Counter "fermata_malformed_datagrams_total" "Datagrams that their connection could not read.";
    malformed_sdp Counter "fermata_malformed_sdp_total" "Session descriptions that could not be read or applied.";
    malformed_candidates Counter "fermata_malformed_candidates_total" "ICE candidates that could not be read.";
    candidates_unused Counter "fermata_candidates_unused_total" "ICE candidates of no use here: over TCP, by host name, too many.";
    malformed_data Counter "fermata_malformed_data_total" "Data packets that could not be read.";
    rtp_in Counter "fermata_rtp_packets_in_total" "RTP packets received from publishers.";
    rtp_out Counter "fermata_rtp_packets_out_total" "RTP packets handed to subscribers.";
    rtp_dropped_unbound Counter "fermata_rtp_packets_dropped_unbound_total" "RTP packets on m-lines that carry no track.";
    rtp_dropped_unsendable Counter "fermata_rtp_packets_dropped_unsendable_total" "RTP packets that a subscriber's connection refused.";
    rtp_dropped_malformed Counter "fermata_rtp_packets_dropped_malformed_total" "RTP packets whose payload is none of their codec.";
    paced_dropped Counter "fermata_rtp_packets_dropped_paced_total" "RTP packets to subscribers dropped because too many wait on their connection.";
    hops_out Counter "fermata_rtp_packets_to_threads_total" "RTP packets handed from one media thread to another.";
    hops_in Counter "fermata_rtp_packets_from_threads_total" "RTP packets that a media thread took from another.";
    hops_dropped Counter "fermata_rtp_packets_to_threads_dropped_total" "RTP packets not handed to another media thread because it does not keep up.";
    packets_overwritten Counter "fermata_rtp_packets_overwritten_total" "RTP packets that waited longer than the publisher's last packets are kept.";
    retransmissions Counter "fermata_retransmissions_total" "RTP packets sent again because a subscriber missed them.";
    retransmissions_unknown Counter "fermata_retransmissions_unknown_total" "Packets asked for again that are not known any more.";
    retransmissions_suppressed Counter "fermata_retransmissions_suppressed_total" "Packets asked for again too soon or too often.";
    egress_dropped Counter "fermata_egress_dropped_total" "Datagrams dropped because the buffer for them was full.";
    keyframe_requests Counter "fermata_keyframe_requests_total" "Keyframes asked from publishers.";
    data_in Counter "fermata_data_messages_in_total" "Data messages received.";
    data_out Counter "fermata_data_messages_out_total" "Data messages handed to receivers.";
    data_refused Counter "fermata_data_messages_refused_total" "Data messages from participants without the right.";
    data_duplicate Counter "fermata_data_messages_duplicate_total" "Data messages that did not rise in sequence.";
    data_dropped_full Counter "fermata_data_messages_dropped_full_total" "Data messages dropped because a receiver's queue was full.";
    data_track_dropped Counter "fermata_data_track_messages_dropped_total" "Messages of the data track channel, which is not forwarded.";
    signals_in Counter "fermata_signals_in_total" "Signal messages from clients.";
    signals_out Counter "fermata_signals_out_total" "Signal messages to clients.";
    limited Counter "fermata_limited_total" "Requests of clients beyond a named limit.";
    internal_errors Counter "fermata_internal_errors_total" "Participants closed because their connection broke inside.";
    packets_refused Counter "fermata_packets_refused_total" "Media and RTCP packets that were not authentic, came twice or were too old.";
    packets_unknown Counter "fermata_packets_unknown_total" "Media packets whose section or codec was not negotiated.";
    nacks_in Counter "fermata_nacks_in_total" "Reports of receivers that miss packets (NACK).";
    keyframe_requests_in Counter "fermata_keyframe_requests_in_total" "Keyframes that receivers asked for.";
    messages_refused Counter "fermata_channel_messages_refused_total" "Messages on data channels that were too long, or on a channel that is none of ours.";
    padding_out Counter "fermata_padding_packets_out_total" "Packets of padding sent to find out how much paths can take.";
    checks_passed_over Counter "fermata_ice_checks_unanswered_total" "ICE checks that drew no answer because too many in a short time were refused.";
    addresses_dropped Counter "fermata_peer_addresses_dropped_total" "Addresses of clients forgotten because they were heard from too many.";
    rtcp_unsent Counter "fermata_rtcp_unsent_total" "Reports and requests to clients dropped because the buffer for them was full.";
    feedback_dropped Counter "fermata_feedback_dropped_total" "Feedback of clients dropped because too much of it waited.";
};

/// Rows read from the store.
pub(super) const STORE: &[Row<Read<StoreStats>>] = read! { StoreStats;
    commands Counter "fermata_store_commands_total" "Writing commands carried out, failed ones included.";
    reads Counter "fermata_store_reads_total" "Reads carried out, failed ones included.";
    batches Counter "fermata_store_batches_total" "Groups of commands that were committed together.";
    commits Counter "fermata_store_commits_total" "Commits that reached the disk.";
    queue_depth Gauge "fermata_store_queue_commands" "Writing commands that wait for the writer.";
    failures Counter "fermata_store_failures_total" "Commands and reads that were answered with an error of the backend.";
    not_writable Counter "fermata_store_not_writable_total" "Commands that failed because the disk is full or read-only.";
    refused Counter "fermata_store_refused_total" "Calls refused because a queue of the store was full.";
    windows Counter "fermata_store_usage_windows_total" "Usage windows taken in, repetitions included.";
    quarantined Counter "fermata_store_quarantined_total" "Usage facts that went to the quarantine.";
    quarantine_dropped Counter "fermata_store_quarantine_dropped_total" "Usage facts that could not be kept because the quarantine was full.";
};

/// Rows read from the relay; 0 where there is none.
pub(super) const TURN: &[Row<Read<TurnStats>>] = read! { TurnStats;
    allocations Gauge "fermata_turn_allocations" "Connections through the relay (allocations).";
    allocated_udp Counter "fermata_turn_allocated_udp_total" "Allocations made over UDP.";
    allocated_tls Counter "fermata_turn_allocated_tls_total" "Allocations made over TLS.";
    allocations_expired Counter "fermata_turn_allocations_expired_total" "Allocations that ended because they were not refreshed.";
    malformed Counter "fermata_turn_malformed_total" "Messages to the relay that are none, or none that a client sends.";
    unauthorized Counter "fermata_turn_unauthorized_total" "Requests without right credentials; the first of each client is one.";
    unanswered Counter "fermata_turn_unanswered_total" "Of those, the ones that got no answer because their address had had too many.";
    forbidden Counter "fermata_turn_forbidden_total" "Requests for a peer that is none of this server's media addresses.";
    refused_quota Counter "fermata_turn_refused_quota_total" "Allocations refused because the participant or the address had as many as it may.";
    refused_full Counter "fermata_turn_refused_full_total" "Allocations refused because there were as many as may be.";
    refused Counter "fermata_turn_refused_total" "Requests to the relay refused for another reason.";
    to_peers Counter "fermata_turn_datagrams_in_total" "Datagrams that the relay passed on to media ports.";
    to_clients Counter "fermata_turn_datagrams_out_total" "Datagrams that the relay passed on to clients.";
    dropped_client Counter "fermata_turn_dropped_client_total" "Datagrams of clients dropped: no allocation, no permission, or no peer.";
    dropped_peer Counter "fermata_turn_dropped_peer_total" "Datagrams dropped that came to the relay from elsewhere than a media port.";
    dropped_bandwidth Counter "fermata_turn_dropped_bandwidth_total" "Datagrams dropped because their allocation carries as much as it may.";
    dropped_full Counter "fermata_turn_dropped_full_total" "Datagrams dropped because a socket or a connection's queue was full.";
    tls_connections Gauge "fermata_turn_tls_connections" "Connections to the relay over TLS.";
    tls_refused Counter "fermata_turn_tls_refused_total" "Connections to the relay over TLS closed at once because there were as many as may be.";
    tls_failed Counter "fermata_turn_tls_failed_total" "Connections to the relay over TLS that failed.";
};
