/* Talking to cloche-export. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/base/log.h"
#include "supervisor/core/core.h"
#include "supervisor/core/peers/peer.h"
#include "supervisor/core/peers/resolvers.h"
#include "supervisor/core/peers/sinks.h"
#include "supervisor/wire/export.h"
#include "supervisor/wire/strings.h"

#define EXPORT_FALLBACK_ID 61182
#define RECORDS_BYTES_MAX (WIRE_FRAME_MAX - 4096)
#define CHECKPOINT_NS (5 * NS_PER_SECOND) /* between two that a sink is sent, at least */
#define CURSOR_STEP 1024 /* records passed over before the cursor is stored for them alone */

_Static_assert((int)WIRE_EXPORT_WEBHOOK == (int)STORE_SINK_WEBHOOK, "the same numbers");
_Static_assert((int)WIRE_EXPORT_SYSLOG == (int)STORE_SINK_SYSLOG, "the same numbers");
_Static_assert(WIRE_URL_SIZE == STORE_URL_SIZE && WIRE_REASON_SIZE == STORE_ERROR_SIZE &&
		       WIRE_WEBHOOK_SECRET_BYTES == STORE_SECRET_BYTES,
	"the same fields");

static int post(struct core *core, uint16_t type, uint64_t cookie, const void *body, size_t size,
	const void *tail, size_t tail_size, const int *fds, size_t n_fds)
{
	struct peer *peer = *sinks_peer(core->sinks);
	struct channel *channel = peer ? peer_channel(peer) : NULL;
	int r = channel ? channel_send(
				  channel, type, cookie, body, size, tail, tail_size, fds, n_fds)
			: -EPIPE;

	if (r < 0 && channel)
		log_error("a message to cloche-export was not sent: %s", strerror(-r));
	return r;
}

static struct sink *find(const struct core *core, uint64_t id)
{
	struct sink *sink = sinks_first(core);

	while (sink && sink->row.id != id)
		sink = sink->next;
	return sink;
}

void export_tell(struct core *core, const struct sink *sink)
{
	struct wire_export_sink body = {.sink = sink->row.id,
		.cursor = sink->row.cursor,
		.kind = sink->row.kind,
		.internal = sink->row.internal,
		.ocsf = sink->row.ocsf};

	memcpy(body.secret, sink->row.secret, sizeof(body.secret));
	memcpy(body.url, sink->row.url, sizeof(body.url));
	post(core, WIRE_EXPORT_SINK, 0, &body, sizeof(body), NULL, 0, NULL, 0);
	explicit_bzero(&body, sizeof(body));
}

void export_tell_gone(struct core *core, uint64_t id)
{
	const struct wire_export_ref body = {.sink = id};

	post(core, WIRE_EXPORT_GONE, 0, &body, sizeof(body), NULL, 0, NULL, 0);
}

static void store_progress(struct core *core, struct sink *sink)
{
	int r = store_sink_progress(core->store, &sink->row);

	/* What is not stored is sent again after a restart. */
	if (r < 0)
		log_error("sink %lu: its cursor was not stored: %s", (unsigned long)sink->row.id,
			strerror(-r));
	else
		sink->stored_cursor = sink->row.cursor;
}

/* What was removed before it was sent is told, in the log and so to the sink itself. */
static void tell_missed(struct core *core, struct sink *sink)
{
	uint64_t first = audit_first_sequence(core->audit);
	const struct tenant *tenant = tenants_get(core->tenants, sink->row.tenant);
	const struct audit_subject subject = {
		.tenant = sink->row.tenant, .tenant_name = tenant ? tenant->row.name : NULL};

	if (first == 0 || sink->after + 1 >= first)
		return;
	audit_record(core->audit, "export.missed", &subject,
		json_pack("{s:I, s:I, s:I}", "sink", (json_int_t)sink->row.id, "first_seq",
			(json_int_t)(sink->after + 1), "last_seq", (json_int_t)(first - 1)));
	sink->after = first - 1;
}

/* While cloche-export waits it has delivered all that was read for it, so records that do not match
 * may be left behind. */
static void pass_over(struct core *core, struct sink *sink, uint64_t next)
{
	sink->after = sink->row.cursor = next;
	if (next - sink->stored_cursor >= CURSOR_STEP)
		store_progress(core, sink);
}

/* "audit.checkpoint" among the types that a webhook asks for. */
static bool wants_checkpoints(const struct sink *sink)
{
	static const char word[] = "audit.checkpoint";
	const char *each = sink->row.types;

	while (each && *each) {
		if (strncmp(each, word, sizeof(word) - 1) == 0 &&
			(each[sizeof(word) - 1] == '\0' || each[sizeof(word) - 1] == ','))
			return true;
		each = strchr(each, ',');
		each = each ? each + 1 : NULL;
	}
	return false;
}

/* The newest checkpoint, alone, as a line that is no record: it does not move the cursor. False
 * when there is none that is due. */
static bool answer_checkpoint(struct core *core, struct sink *sink)
{
	const uint64_t number = audit_checkpoint_number(core->audit);
	const uint64_t now_ns = clock_monotonic_ns();
	const struct wire_export_records body = {
		.sink = sink->row.id, .next = sink->after, .n_records = 1};
	char note[AUDIT_NOTE_SIZE], line[2 * AUDIT_NOTE_SIZE];
	json_t *object;
	size_t size;

	if (number <= sink->checkpoint || !wants_checkpoints(sink) ||
		(sink->checkpoint_ns && now_ns - sink->checkpoint_ns < CHECKPOINT_NS) ||
		audit_checkpoint(core->audit, note) < 0)
		return false;
	object = json_pack("{s:i, s:s, s:I, s:s}", "v", 1, "type", "audit.checkpoint", "number",
		(json_int_t)number, "note", note);
	size = object ? json_dumpb(object, line, sizeof(line) - 1, JSON_COMPACT) : 0;
	json_decref(object);
	if (size == 0 || size >= sizeof(line))
		return false;
	line[size++] = '\n';
	sink->checkpoint = number;
	sink->checkpoint_ns = now_ns;
	sink->waiting = false;
	post(core, WIRE_EXPORT_RECORDS, sink->cookie, &body, sizeof(body), line, size, NULL, 0);
	return true;
}

void export_answer(struct core *core, struct sink *sink)
{
	struct audit_query query = {.sandbox = 0,
		.tenant = sink->row.tenant,
		.limit = WIRE_EXPORT_RECORDS_MAX,
		.type = sink->row.types,
		.verdict = sink->row.verdict};
	struct wire_export_records body = {.sink = sink->row.id};
	_cleanup_free_ char *buffer = malloc(RECORDS_BYTES_MAX);
	size_t used = 0;
	bool more = false;
	int r;

	if (!buffer)
		return;
	tell_missed(core, sink);
	if (answer_checkpoint(core, sink))
		return;
	query.after = sink->after;
	r = audit_read(core->audit, &query, buffer, RECORDS_BYTES_MAX, &used, &body.n_records,
		&body.next, &more);
	if (r < 0) {
		log_error("the audit log cannot be read: %s", strerror(-r));
		return;
	}
	if (body.n_records == 0 && !more) {
		pass_over(core, sink, body.next);
		return;
	}
	sink->waiting = false;
	post(core, WIRE_EXPORT_RECORDS, sink->cookie, &body, sizeof(body), buffer, used, NULL, 0);
}

static int on_read(struct core *core, const struct channel_message *message)
{
	const struct wire_export_read *read = message->body;
	struct sink *sink;

	if (message->body_size != sizeof(*read))
		return -EPROTO;
	sink = find(core, read->sink);
	if (!sink)
		return 0; /* deleted meanwhile: the word is on its way */
	if (sink->waiting || read->after < sink->row.cursor ||
		read->after > audit_last_sequence(core->audit))
		return -EPROTO;
	sink->waiting = true;
	sink->after = read->after;
	sink->cookie = message->header->cookie;
	export_answer(core, sink);
	return 0;
}

static int on_state(struct core *core, const struct channel_message *message)
{
	const struct wire_export_state *state = message->body;
	struct sink *sink;

	if (message->body_size != sizeof(*state) || !WIRE_TEXT_VALID(state->error))
		return -EPROTO;
	sink = find(core, state->sink);
	if (!sink)
		return 0;
	if (state->cursor < sink->row.cursor || state->cursor > audit_last_sequence(core->audit))
		return -EPROTO;
	sink->row.cursor = state->cursor;
	switch ((enum wire_export_outcome)state->outcome) {
	case WIRE_EXPORT_PASSED:
		break;
	case WIRE_EXPORT_DELIVERED:
		sink->row.n_failures = 0;
		sink->row.error[0] = '\0';
		sink->row.success_ns = clock_realtime_ns();
		break;
	case WIRE_EXPORT_FAILED:
		sink->row.n_failures++;
		sink->row.failure_ns = clock_realtime_ns();
		memcpy(sink->row.error, state->error, sizeof(sink->row.error));
		break;
	default:
		return -EPROTO;
	}
	store_progress(core, sink);
	return 0;
}

static int connect_as(const char *path, int type, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* A local logger listens for datagrams (as on /dev/log) or for streams. */
static int on_connect(struct core *core, const struct channel_message *message)
{
	const struct wire_export_ref *ref = message->body;
	_cleanup_close_ int fd = -1;
	struct wire_export_socket body = {.datagram = 1};
	const struct sink *sink;

	if (message->body_size != sizeof(*ref))
		return -EPROTO;
	sink = find(core, ref->sink);
	if (!sink)
		return 0;
	if (sink->row.kind != STORE_SINK_SYSLOG)
		return -EPROTO;
	body.sink = ref->sink;
	body.error = connect_as(sink->row.url, SOCK_DGRAM, &fd);
	if (body.error == -EPROTOTYPE) {
		body.datagram = 0;
		body.error = connect_as(sink->row.url, SOCK_STREAM, &fd);
	}
	post(core, WIRE_EXPORT_SOCKET, message->header->cookie, &body, sizeof(body), NULL, 0, &fd,
		body.error ? 0 : 1);
	return 0;
}

static int on_message(struct peer *peer _unused_, struct channel_message *message, void *userdata)
{
	switch ((enum wire_export_type)message->header->type) {
	case WIRE_EXPORT_READ:
		return on_read(userdata, message);
	case WIRE_EXPORT_STATE:
		return on_state(userdata, message);
	case WIRE_EXPORT_CONNECT:
		return on_connect(userdata, message);
	case WIRE_EXPORT_CONFIG:
	case WIRE_EXPORT_SINK:
	case WIRE_EXPORT_GONE:
	case WIRE_EXPORT_RECORDS:
	case WIRE_EXPORT_SOCKET:
		break;
	}
	return -EPROTO;
}

static void on_up(struct peer *peer _unused_, void *userdata)
{
	struct core *core = userdata;
	struct wire_export_config body = {0};

	body.n_resolvers = (uint32_t)resolvers_find(core->config->resolver, body.resolvers);
	post(core, WIRE_EXPORT_CONFIG, 0, &body, sizeof(body), NULL, 0, NULL, 0);
	for (const struct sink *each = sinks_first(core); each; each = each->next)
		export_tell(core, each);
}

static void on_down(struct peer *peer _unused_, void *userdata)
{
	for (struct sink *each = sinks_first(userdata); each; each = each->next) {
		each->waiting = false;
		each->checkpoint = 0; /* it may not have arrived */
	}
}

int export_start(struct core *core, struct failure *why)
{
	struct peer_config config = {.name = "cloche-export",
		.program = sinks_program(core->sinks),
		.user = core->config->export_user,
		.fallback_id = EXPORT_FALLBACK_ID,
		.message = on_message,
		.up = on_up,
		.down = on_down,
		.userdata = core};

	if (*sinks_peer(core->sinks))
		return 0;
	if (core->webhook_ca_fd < 0) {
		core->webhook_ca_fd = open(core->config->webhook_ca, O_RDONLY | O_CLOEXEC);
		if (core->webhook_ca_fd < 0)
			log_warning("%s cannot be read: no https webhook will be trusted: %s",
				core->config->webhook_ca, strerror(errno));
	}
	if (core->webhook_ca_fd >= 0)
		config.fds[config.n_fds++] = (struct peer_fd){"--ca-fd", core->webhook_ca_fd};
	snprintf(sinks_program(core->sinks), 256, "%s/cloche-export", core->config->libexec_dir);
	return peer_start(core->loop, &config, sinks_peer(core->sinks), why);
}
