"""Every limit, by name. What is full says which of these it met."""

from __future__ import annotations

# Intake
EVENT_BYTES_MAX = 256 * 1024
"""One portal event as sent."""
REQUEST_BYTES_MAX = 8 * 1024 * 1024
"""One request to the ledger API."""
REQUEST_EVENTS_MAX = 1_000
"""Portal events in one request."""
EVENT_DEPTH_MAX = 64
"""Arrays and objects of one portal event that stand in each other; as many as .NET reads by default."""
EVENT_ID_CHARS_MAX = 200
"""The portal's id of an event."""
EVENT_TYPE_CHARS_MAX = 100
"""The type of a portal event."""
EVENT_ACTOR_CHARS_MAX = 200
"""The id of who did it."""
EVENT_READERS_MAX = 1_000
"""Readers of one portal event."""
EVENT_READER_CHARS_MAX = 255
"""One of them."""
TENANT_CHARS_MAX = 100
"""The name of a tenant."""
READ_S = 10.0
"""How long one request may take to come; then it is answered 408."""
INTAKE_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of requests that have come, and wait for their rest or for their commit, in all; more is answered 503."""
INTAKE_EVENTS_MAX = 20_000
"""Portal events that wait for their commit, in all; more is answered 503."""
MATCH_ROUNDS_MAX = 1_000
"""How often an event is matched again because the directory moved; each time, another event got ahead."""
REFUSALS_MAX = 2
"""How often an event is matched again on a ledger that other processes append to; then its lock is taken first."""
CONNECTIONS_MAX = 1_024
"""Connections to the public port; fewer where few files may be open. Beyond it the longest idle one is closed."""
CONNECTION_IDLE_S = 75.0
"""How long a connection to the public port may take to bring the head of its next request; longer than proxies keep
theirs, which is a minute as a rule."""
OPEN_FILES_MAX = 65_536
"""Files, connections among them, that this process opens at most, however many the system would let it have."""

# Portal events from Kafka
INBOX_EVENTS_MAX = 2_000
"""Of the records taken at once, portal events that wait for their commit; with a record's rest, a few more."""
INBOX_AGAIN_MS = 1_000
"""How long until it is tried again to record events, or to write dead letters, that could not be."""
INBOX_STOP_S = 10.0
"""How long a stopping service lets the records under way come to their commit; then they come again."""
LEDGER_FED_EVENTS_MAX = 500
"""Recorded events that gather for the topic of the ledger before they are sent sooner."""
LEDGER_FED_MS = 20
"""How long they gather, where more come all the time; the first after a rest is sent at once."""
LEDGER_FED_BYTES_MAX = 256 * 1024
"""Bytes of them that are sent at once: those of one partition are then one batch, which is there as a whole or not."""
LEDGER_FED_KEEP_MS = 250
"""How long until it is written down how far the topic has come; after a kill so much is sent again."""
LEDGER_FED_AGAIN_MS = 1_000
"""How long until it is tried again to send what Kafka did not take."""
LEDGER_FED_STOP_S = 3.0
"""How long a stopping service goes on to tell what is recorded; the next one tells the rest."""
DEAD_REASON_CHARS_MAX = 1_000
"""Said in a dead letter of why it is one."""
DEAD_LETTERS_MAX = 50
"""Dead letters sent at once."""
DEAD_LETTERS_BYTES_MAX = 4 * 1024 * 1024
"""Bytes of the same; a larger one goes alone."""
DEAD_SHOWN_CHARS_MAX = 60
"""Of a dead letter's value, in a list for people; of its reason twice as many."""

# Persons
PERSON_ID_CHARS_MAX = 200
"""The portal's id of a person, and of a group."""
PERSON_GROUPS_MAX = 1_000
"""Groups of one imported person."""
IMPORT_PERSONS_MAX = 500
"""Persons imported in one commit; no event is matched meanwhile."""

# Webhooks
WEBHOOK_NAME_CHARS_MAX = 50
"""The name of a webhook."""
WEBHOOK_URL_CHARS_MAX = 2_048
"""The URL of a webhook."""
WEBHOOK_TARGET_CHARS_MAX = 255
"""The id of the one entity a webhook is limited to."""
WEBHOOK_TRIGGERS_MAX = 200
"""Triggers of one webhook; one without any hears everything."""
SCHEDULE_RETRIES_MAX = 50
"""Retries in a webhook's own schedule."""
SCHEDULE_WAIT_S_MAX = 7 * 24 * 3600
"""How long such a schedule may wait before a retry."""
USER_CHARS_MAX = 100
"""An owner's id, or that of the person a token speaks for."""
SECRET_CHARS_MIN = 8
"""A secret that somebody chose."""
SECRET_CHARS_MAX = 75
"""Longer than DocSpace's 50, so that a `whsec_` secret of 48 bytes fits."""

# Plugins
PLUGIN_FAULT_CHARS_MAX = 500
"""Kept of what a plugin raised."""

IMPORT_S = 5.0
"""How long the start waits for a plugin to be imported and to register its triggers; one that comes later is taken
then, and until then no events are."""
PLUGIN_AGAIN_S = 5
"""How long until a plugin that could not be loaded is tried again."""
HOOK_S = 3.0
"""How long a hook may take for one batch; then it is interrupted, and its plugin rests."""
HOOK_SLOW_S = 0.5
"""A hook that takes longer is slow: it is counted and logged, because everything waits for it."""
HOOK_REST_S = 60
"""How long a plugin whose hook was interrupted is not asked, and what it would be asked about is answered 503."""
HUNG_EVENTS_MAX = 1_024
"""Events over which a hook hung that are remembered, so that it is not asked about them again."""
PLUGIN_LOG_S = 10
"""Not more often than this, a plugin's faults are logged, and its slow hooks."""
PLUGIN_NOTE_S = 3_600
"""So long after its last fault, readiness still notes it."""

# Ledger
COMMIT_UNITS_MAX = 4_096
"""Units in one commit; the others wait for the next."""
COMMIT_EVENTS_MAX = 8_192
"""Recorded events in one commit; a single unit may be larger."""
COPY_EVENTS_MAX = 10_000
"""Recorded events that `hookledger copy` writes in one transaction, and the rest of the last one's commit."""
WRITE_AGAIN_S = 5
"""How long a client is asked to wait while the ledger cannot be written."""
DAMAGED_AGAIN_S = 60
"""The same while its file is damaged, and somebody must come."""
PROBE_MS = 1_000
"""How often it is tried again whether the ledger can be written, while it cannot."""
TAIL_EVENTS_MAX = 50_000
"""Newest recorded events kept in memory for followers that are a little behind."""
TAIL_BYTES_MAX = 32 * 1024 * 1024
"""Bytes of the same."""
MISSED_EVENTS_MAX = 4_000
"""With a database: recorded events of other processes that are read at once into memory; more are read from disk."""
READ_EVENTS_MAX = 2_000
"""Recorded events read from disk at once."""

# Delivery
YOUNG_REQUESTS_MAX = 128
"""Requests under way that are younger than SLOW_MS."""
SLOW_MS = 1_000
"""A request older than this is slow; it no longer counts among the young."""
WINDOW_START = 4
"""Requests of one webhook under way, as long as little is known of its receiver."""
WINDOW_MAX = 64
"""Requests of one webhook under way, however good its receiver is."""
UNRECORDED_MAX = 2_048
"""Outcomes that wait for their commit; beyond it nothing is handed out."""
READY_ROWS_MAX = 8_192
"""Due rows kept in memory, of all webhooks; the rest stays in the outbox on disk."""
READY_BYTES_MAX = 48 * 1024 * 1024
"""Bytes of the same."""
CANCEL_CHUNK = 500
"""Deliveries cancelled in one unit."""
CONNECT_S = 10.0
"""One attempt: until it is connected."""
TOTAL_S = 30.0
"""One attempt: until the last byte of its answer."""
MARK_S = TOTAL_S + 10
"""With a database: so long nobody else begins an attempt that was handed out. A worker begins none that might take
longer than that."""
CARRY_S = 30.0
"""With Kafka: how long a delivery may be on its way to a worker. One that takes longer is not attempted by it."""
CARRIED_MARK_S = CARRY_S + TOTAL_S
"""With Kafka: so long nobody else begins an attempt that was handed out; then it is handed out again."""
CARRIED_MAX = 1_024
"""With Kafka: deliveries that are on their way to workers, or attempted by them, and younger than SLOW_MS."""
PARCEL_ROWS_MAX = 32
"""Deliveries of one webhook in one record of Kafka."""
PARCEL_BYTES_MAX = 256 * 1024
"""Bytes of their payloads and portal events; a single one may be larger."""
CHECK_MS = 2_000
"""A delivery that was longer than this on its way through Kafka is looked up in the ledger before it is attempted."""
CARRIED_COMMIT_S = 0.5
"""How often a worker commits how far it has come."""
CUT_OFF_S = 10.0
"""With Kafka: a process that the ledger has not answered for so long leaves what it would take to others."""
LEASE_S = 3.0
"""With a database: so long a leader that is not heard of leads on."""
SILENT_S = 10.0
"""With a database: how long it may take to answer before a process says that it is not ready."""
LOOKUP_S = 8.0
"""How long the addresses of a name are waited for; less than CONNECT_S, so that the reason says what was slow."""
LOOKUPS_MAX = 1_024
"""Names being looked up; a delivery that needs one more waits."""
NAME_S = 10.0
"""How long the addresses of a name are remembered."""
NAME_FAILED_S = 10.0
"""How long it is remembered that a name has none, and why: no delivery looks it up again meanwhile."""
NAMES_MAX = 4_096
"""Names remembered; beyond it the oldest is forgotten."""
ADDRESSES_MAX = 16
"""Addresses of one name that are looked at; the others are as if they were not there."""
ANSWER_BYTES_MAX = 64 * 1024
"""Kept of a receiver's answer; beyond it the connection is dropped."""
ANSWER_WIRE_BYTES_MAX = 512 * 1024
"""Read of a receiver's answer in all, with headers and framing; beyond it the connection is dropped."""
ANSWER_HEADERS_MAX = 64
"""Headers kept of a receiver's answer."""
ANSWER_HEADER_CHARS_MAX = 1_024
"""Kept of one such header's name, and of its value."""
IDLE_S = 60.0
"""A connection to a receiver is kept for the next request."""
IDLE_LINES_MAX = 256
"""Connections that wait for the next request, to all receivers; beyond it the oldest is closed. Fewer where few files
may be open, as of the requests that are slow or young."""
RETRY_AFTER_MS_MAX = 24 * 3600 * 1000
"""A receiver may hold us back for a day at most; more is recorded as capped."""
FAILING_MS_MAX = 3 * 24 * 3600 * 1000
"""A webhook that only fails for longer is disabled at the next delivery that ends failed."""
STOP_S = 25.0
"""How long a stopping service lets what is under way come to its end; with the rest of the stop, less than the half
minute after which service managers kill as a rule."""

# Files that are fed to it
FEED_BATCH_BYTES = 1024 * 1024
"""A batch on its way has no more bytes than this and one entry; its entries are as many as one request may have."""
FEED_UNDER_WAY_MAX = 4
"""Batches that were sent, and not answered."""
FEED_IDLE_S = 0.2
"""How long a batch that is not full waits for more, where the file is still being written."""
FEED_PATIENCE_S = 120
"""How long a file waits for a service that is away, or full, or gives no answer, before it is given up."""
FEED_REFUSED_SHOWN_MAX = 20
"""Refused entries that are told one by one; the others are counted."""

# Time
CLOCK_STEP_MS = 2_000
"""By so much the wall clock must have been set, ahead or back, to be said so; less is a clock that is kept right."""

# Views
FOLD_MS = 250
"""How long a view gathers before it writes."""
FOLD_EVENTS_MAX = 20_000
"""Recorded events a view gathers before it writes sooner."""
GATHERED_EVENTS_MAX = 60_000
"""Recorded events a view gathers while its file does not take them; beyond it they are read from disk later."""
HISTORY_REASON_CHARS_MAX = 200
"""Kept in the history of why an attempt failed; the ledger has all of it."""
LOOKED_MAX = 100_000
"""Deliveries that are looked through at a time for what no index leads to."""
LOOKED_TEXT_MAX = 10_000
"""Deliveries that are looked through at a time for a text."""

# Operations
REACH_S = 5
"""How long an answer waits until the views have what was just made."""
STARTING_S = 10
"""How long a command waits for a process that holds the data directory and does not answer yet."""
LIST_MAX = 1_000
"""Deliveries in one list."""
TOP_WEBHOOKS_MAX = 100
"""Webhooks of each kind that `hookledger top` may ask for."""
LIST_S = 3.0
"""How long a question looks through deliveries for what no index leads to; then it says how far it came."""
TEXT_CHARS_MAX = 200
"""What is looked for in deliveries."""
REDELIVER_MAX = 10_000
"""Redeliveries that one question makes; `hookledger deliveries redeliver` asks until all are made."""
REDELIVER_CHUNK = 500
"""Redeliveries made in one commit, so that portal events that come in meanwhile are not held up."""
REDELIVERIES_TOLD_MAX = 100
"""Of the redeliveries of one delivery, the newest that its story tells of."""
OPERATION_S = 60
"""How long a command waits for its answer."""
ASK_TRIES_MAX = 5
"""How often a command asks whose connection to `serve` breaks before the answer is there."""
IDEMPOTENCY_KEY_CHARS_MAX = 200
"""The key that somebody gives a command, so that it is not done twice."""
COMPLETION_S = 2.0
"""How long a shell waits at most for words to complete; then it gets none."""
COMPLETION_WORDS_MAX = 200
"""Words that a shell is offered at once."""
WEBHOOKS_AT_ONCE_MAX = 1_000
"""Webhooks, or tokens, that one command may name."""

# Log and traces
LOG_OFTEN_MAX = 20
"""Lines of one name written within LOG_OFTEN_S, of those that may come with each delivery; then how many more."""
LOG_OFTEN_S = 10
"""How long such lines are held back before they are counted anew."""
LOG_FACT_CHARS_MAX = 2_000
"""Kept in the log of one fact, or of a line's text."""
TRACES_FLUSH_S = 5.0
"""How long a stopping service waits for the last spans to be exported."""
