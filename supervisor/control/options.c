#include "supervisor/control/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/clock.h"
#include "supervisor/core/peers/resolvers.h"

#define NS_PER_DAY (24 * 3600 * NS_PER_SECOND)
#define SYSLOG_PATH_SIZE 108 /* sun_path, unix(7) */

static const char help[] =
	"Usage: cloched [OPTION]...\n"
	"Hands out sealed, warm sandboxes over an HTTP API. Needs root.\n"
	"\n"
	"  --state-dir DIR     what outlives a restart: database, audit log, admin.key\n"
	"                      [/var/lib/cloche]\n"
	"  --run-dir DIR       sockets; gone after a reboot [/run/cloche]\n"
	"  --policy-dir DIR    policy files, NAME.json [/etc/cloche/policies]\n"
	"  --socket PATH       the API's unix socket [RUN-DIR/api.sock]\n"
	"  --listen ADDR:PORT  the API's TCP address, or 'none' [127.0.0.1:8750]\n"
	"  --pool T=N,...      warm sandboxes to keep for each template [python=4,node=2,shell=4]\n"
	"  --instance NAME     tells several cloched on one host apart [default]\n"
	"  --cgroup PATH       where in the cgroup tree the sandboxes live [/cloche-INSTANCE]\n"
	"  --libexec-dir DIR   holds cloche-api, cloche-gate, cloche-init [beside cloched]\n"
	"  --api-user USER     whom cloche-api runs as [cloche-api, else uid 61180]\n"
	"  --gate-user USER    whom cloche-gate runs as [cloche-gate, else uid 61181]\n"
	"  --export-user USER  whom cloche-export runs as [cloche-export, else uid 61182]\n"
	"  --webhook-ca FILE   whom https webhooks are trusted by\n"
	"                      [/etc/ssl/certs/ca-certificates.crt]\n"
	"  --syslog PATH       send audit records to this unix socket too, as RFC 5424 messages\n"
	"  --resolver ADDR[:PORT]  whom the gate asks for addresses of names [/etc/resolv.conf]\n"
	"  --audit-segment-bytes N  the audit log goes on in a new file at this size [67108864]\n"
	"  --audit-keep-bytes N     its oldest files go when all are larger [keep all]\n"
	"  --audit-keep-days N      its files go at this age [keep all]\n"
	"  --audit-key-days N       it is signed with a new key after this long [30]\n"
	"  --audit-heartbeat N      it is signed every N seconds when nothing happens [30]\n"
	"  --log-level LEVEL   error, warning, info or debug [info]\n"
	"  --check             say what this kernel has, what is missing, and what that means\n"
	"  --json              --check for programs\n"
	"  --version, --help\n"
	"\n"
	"SIGHUP reloads the policies. SIGTERM ends all sandboxes and then cloched.\n"
	"See cloched(8).\n";

enum option_id {
	OPT_STATE = 256,
	OPT_RUN,
	OPT_POLICY,
	OPT_SOCKET,
	OPT_LISTEN,
	OPT_POOL,
	OPT_INSTANCE,
	OPT_CGROUP,
	OPT_LIBEXEC,
	OPT_API_USER,
	OPT_GATE_USER,
	OPT_EXPORT_USER,
	OPT_WEBHOOK_CA,
	OPT_SYSLOG,
	OPT_RESOLVER,
	OPT_LOG_LEVEL,
	OPT_CHECK,
	OPT_JSON,
	OPT_VERSION,
	OPT_HELP,
};

enum audit_option_id {
	OPT_AUDIT_SEGMENT_BYTES = 512,
	OPT_AUDIT_KEEP_BYTES,
	OPT_AUDIT_KEEP_DAYS,
	OPT_AUDIT_KEY_DAYS,
	OPT_AUDIT_HEARTBEAT,
};

static const struct option table[] = {
	{"state-dir", required_argument, NULL, OPT_STATE},
	{"run-dir", required_argument, NULL, OPT_RUN},
	{"policy-dir", required_argument, NULL, OPT_POLICY},
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"listen", required_argument, NULL, OPT_LISTEN},
	{"pool", required_argument, NULL, OPT_POOL},
	{"instance", required_argument, NULL, OPT_INSTANCE},
	{"cgroup", required_argument, NULL, OPT_CGROUP},
	{"libexec-dir", required_argument, NULL, OPT_LIBEXEC},
	{"api-user", required_argument, NULL, OPT_API_USER},
	{"gate-user", required_argument, NULL, OPT_GATE_USER},
	{"export-user", required_argument, NULL, OPT_EXPORT_USER},
	{"webhook-ca", required_argument, NULL, OPT_WEBHOOK_CA},
	{"syslog", required_argument, NULL, OPT_SYSLOG},
	{"resolver", required_argument, NULL, OPT_RESOLVER},
	{"audit-segment-bytes", required_argument, NULL, OPT_AUDIT_SEGMENT_BYTES},
	{"audit-keep-bytes", required_argument, NULL, OPT_AUDIT_KEEP_BYTES},
	{"audit-keep-days", required_argument, NULL, OPT_AUDIT_KEEP_DAYS},
	{"audit-key-days", required_argument, NULL, OPT_AUDIT_KEY_DAYS},
	{"audit-heartbeat", required_argument, NULL, OPT_AUDIT_HEARTBEAT},
	{"log-level", required_argument, NULL, OPT_LOG_LEVEL},
	{"check", no_argument, NULL, OPT_CHECK},
	{"json", no_argument, NULL, OPT_JSON},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

static int complain(const char *option, const char *value, const char *wanted)
{
	fprintf(stderr, "cloched: --%s %s: %s\n", option, value, wanted);
	return 2;
}

static int parse_pool(struct core_config *config, const char *text)
{
	config->n_pool = 0;
	while (*text) {
		struct core_pool_target *target = &config->pool[config->n_pool];
		size_t name_length = strcspn(text, "=,");
		char *end;
		unsigned long count;

		if (config->n_pool == POOL_TEMPLATES_MAX || name_length == 0 ||
			text[name_length] != '=' || name_length >= sizeof(target->template))
			return -EINVAL;
		memcpy(target->template, text, name_length);
		target->template[name_length] = '\0';
		errno = 0;
		count = strtoul(text + name_length + 1, &end, 10);
		if (errno || end == text + name_length + 1 || (*end && *end != ',') ||
			count > POOL_TARGET_MAX)
			return -EINVAL;
		target->target = (uint32_t)count;
		config->n_pool++;
		text = *end ? end + 1 : end;
	}
	return 0;
}

static int parse_log_level(const char *text, enum log_level *ret_level)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {{"error", LOG_LEVEL_ERROR}, {"warning", LOG_LEVEL_WARNING},
		{"info", LOG_LEVEL_INFO}, {"debug", LOG_LEVEL_DEBUG}};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (strcmp(levels[i].name, text) == 0) {
			*ret_level = levels[i].level;
			return 0;
		}
	}
	return -EINVAL;
}

/* A whole number from `least` to `most`, in units of `unit`. */
static int parse_amount(const char *option, const char *text, uint64_t least, uint64_t most,
	uint64_t unit, uint64_t *ret_value)
{
	char *end, wanted[96];
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && !*end && !errno && value >= least &&
		value <= most) {
		*ret_value = value * unit;
		return 0;
	}
	snprintf(wanted, sizeof(wanted), "wants a whole number from %" PRIu64 " to %" PRIu64, least,
		most);
	return complain(option, text, wanted);
}

static int check_instance(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > 31 ||
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != length)
		return complain("instance", name, "1 to 31 of a-z, 0-9 and '-'");
	return 0;
}

/* The directory of our own binary: a build directory works without installing. */
static void find_libexec(struct options *options)
{
	char *slash;
	ssize_t length = readlink(
		"/proc/self/exe", options->libexec_default, sizeof(options->libexec_default) - 1);

	if (length < 0)
		return;
	options->libexec_default[length] = '\0';
	slash = strrchr(options->libexec_default, '/');
	if (slash)
		*slash = '\0';
	if (strcmp(options->libexec_default, CLOCHE_PREFIX "/sbin") == 0)
		snprintf(options->libexec_default, sizeof(options->libexec_default),
			CLOCHE_PREFIX "/libexec/cloche");
}

static void fill_defaults(struct options *options)
{
	if (!options->socket) {
		snprintf(options->socket_default, sizeof(options->socket_default), "%s/api.sock",
			options->core.run_dir);
		options->socket = options->socket_default;
	}
	if (!options->core.cgroup_base) {
		snprintf(options->cgroup_default, sizeof(options->cgroup_default), "/cloche-%s",
			options->core.instance);
		options->core.cgroup_base = options->cgroup_default;
	}
	if (!options->core.libexec_dir) {
		find_libexec(options);
		options->core.libexec_dir = options->libexec_default;
	}
}

static int set_audit_option(struct audit_config *audit, int id, const char *value)
{
	switch ((enum audit_option_id)id) {
	case OPT_AUDIT_SEGMENT_BYTES:
		return parse_amount("audit-segment-bytes", value, 1 << 16, 1ULL << 40, 1,
			&audit->segment_bytes);
	case OPT_AUDIT_KEEP_BYTES:
		return parse_amount(
			"audit-keep-bytes", value, 1 << 16, 1ULL << 50, 1, &audit->keep_bytes);
	case OPT_AUDIT_KEEP_DAYS:
		return parse_amount(
			"audit-keep-days", value, 1, 36500, NS_PER_DAY, &audit->keep_age_ns);
	case OPT_AUDIT_KEY_DAYS:
		return parse_amount(
			"audit-key-days", value, 1, 36500, NS_PER_DAY, &audit->key_age_ns);
	case OPT_AUDIT_HEARTBEAT:
		return parse_amount(
			"audit-heartbeat", value, 1, 86400, NS_PER_SECOND, &audit->heartbeat_ns);
	}
	return 2;
}

/* Options that are taken as they come. */
static bool set_text(struct options *options, int id, const char *value)
{
	const struct {
		int id;
		const char **place;
	} rows[] = {{OPT_STATE, &options->core.state_dir}, {OPT_POLICY, &options->core.policy_dir},
		{OPT_SOCKET, &options->socket}, {OPT_LISTEN, &options->listen},
		{OPT_LIBEXEC, &options->core.libexec_dir}, {OPT_API_USER, &options->api_user},
		{OPT_GATE_USER, &options->core.gate_user},
		{OPT_EXPORT_USER, &options->core.export_user},
		{OPT_WEBHOOK_CA, &options->core.webhook_ca}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].id != id)
			continue;
		*rows[i].place = value;
		return true;
	}
	return false;
}

static int set_option(struct options *options, int id, const char *value)
{
	struct wire_gate_resolver resolvers[WIRE_GATE_RESOLVERS_MAX];
	struct core_config *core = &options->core;

	if (id >= OPT_AUDIT_SEGMENT_BYTES)
		return set_audit_option(&core->audit, id, value);
	if (set_text(options, id, value))
		return 0;
	switch ((enum option_id)id) {
	case OPT_STATE:
	case OPT_POLICY:
	case OPT_SOCKET:
	case OPT_LISTEN:
	case OPT_LIBEXEC:
	case OPT_API_USER:
	case OPT_GATE_USER:
	case OPT_EXPORT_USER:
	case OPT_WEBHOOK_CA:
		break; /* set_text() */
	case OPT_RUN:
		core->run_dir = value;
		return strlen(value) > 64 ? complain("run-dir", value, "at most 64 characters") : 0;
	case OPT_POOL:
		return parse_pool(core, value) < 0
			       ? complain("pool", value,
					 "wants TEMPLATE=NUMBER, separated by commas, up to 4096")
			       : 0;
	case OPT_INSTANCE:
		core->instance = value;
		return check_instance(value);
	case OPT_CGROUP:
		core->cgroup_base = value;
		return value[0] == '/' ? 0 : complain("cgroup", value, "must begin with '/'");
	case OPT_SYSLOG:
		core->syslog = value;
		return value[0] == '/' && strlen(value) < SYSLOG_PATH_SIZE
			       ? 0
			       : complain(
					 "syslog", value, "wants a path of at most 107 characters");
	case OPT_RESOLVER:
		core->resolver = value;
		return resolvers_find(value, resolvers) == 1
			       ? 0
			       : complain("resolver", value,
					 "wants an address, as 192.0.2.1, 192.0.2.1:5353 or "
					 "[2001:db8::1]:53");
	case OPT_LOG_LEVEL:
		return parse_log_level(value, &options->log_level) < 0
			       ? complain("log-level", value,
					 "must be error, warning, info or debug")
			       : 0;
	case OPT_CHECK:
		options->check = true;
		return 0;
	case OPT_JSON:
		options->json = true;
		return 0;
	case OPT_VERSION:
		printf("cloched %s\n", CLOCHE_VERSION);
		return 1;
	case OPT_HELP:
		fputs(help, stdout);
		return 1;
	}
	return 2;
}

int options_parse(int argc, char **argv, struct options *ret_options)
{
	struct options *options = ret_options;
	int id, r;

	*options = (struct options){.listen = "127.0.0.1:8750",
		.api_user = "cloche-api",
		.log_level = LOG_LEVEL_INFO,
		.core = {.state_dir = "/var/lib/cloche",
			.run_dir = "/run/cloche",
			.policy_dir = "/etc/cloche/policies",
			.instance = "default",
			.gate_user = "cloche-gate",
			.export_user = "cloche-export",
			.webhook_ca = "/etc/ssl/certs/ca-certificates.crt"}};
	parse_pool(&options->core, "python=4,node=2,shell=4");
	while ((id = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (id == '?') {
			fputs("Try 'cloched --help'.\n", stderr);
			return 2;
		}
		r = set_option(options, id, optarg);
		if (r != 0)
			return r;
	}
	if (optind < argc) {
		fprintf(stderr, "cloched: %s: cloched takes options only. Try 'cloched --help'.\n",
			argv[optind]);
		return 2;
	}
	fill_defaults(options);
	return 0;
}
