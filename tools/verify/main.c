/* Checks what a Cloche wrote about itself, with nothing but its public key.
 *
 * It shares no code with the supervisor, so that a mistake there is not made here again. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/verify/commands.h"
#include "tools/verify/log/record.h"

static const char help[] =
	"Usage: cloche-verify [log] --key KEY [options] DIR\n"
	"       cloche-verify stream --key KEY --proofs FILE [FILE]\n"
	"       cloche-verify proof --key KEY FILE...\n"
	"       cloche-verify consistency --key KEY (--tiles DIR | --proof FILE) OLDER NEWER\n"
	"\n"
	"Checks the audit log of cloched, or a part of it, with a public key only.\n"
	"  --key KEY        a verifier key (origin+hash+key), or a file with one\n"
	"  --keys DIR       keys and certificates of later epochs (log: DIR/keys)\n"
	"  --witness FILE   checkpoints that somebody else kept must be of this log's history\n"
	"  --max-gap SEC    no checkpoint may come later after the one before it\n"
	"  --sealed         no record may come after the newest checkpoint\n"
	"  --sandbox ID     tell of one sandbox's records\n"
	"  --from SEQ --to SEQ   check these records alone\n"
	"  --proofs FILE    inclusion proofs of the stream's records, one a line\n"
	"  --tiles DIR      a log's directory\n"
	"  --proof FILE     a consistency proof\n"
	"  --json           print one JSON object\n"
	"Exit status: 0 valid, 1 not valid, 2 it could not be checked.\n";

enum option_value {
	OPTION_KEY = 256,
	OPTION_KEYS,
	OPTION_WITNESS,
	OPTION_MAX_GAP,
	OPTION_SEALED,
	OPTION_SANDBOX,
	OPTION_FROM,
	OPTION_TO,
	OPTION_PROOFS,
	OPTION_TILES,
	OPTION_PROOF,
	OPTION_JSON,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option options[] = {
	{"key", required_argument, NULL, OPTION_KEY},
	{"keys", required_argument, NULL, OPTION_KEYS},
	{"witness", required_argument, NULL, OPTION_WITNESS},
	{"max-gap", required_argument, NULL, OPTION_MAX_GAP},
	{"sealed", no_argument, NULL, OPTION_SEALED},
	{"sandbox", required_argument, NULL, OPTION_SANDBOX},
	{"from", required_argument, NULL, OPTION_FROM},
	{"to", required_argument, NULL, OPTION_TO},
	{"proofs", required_argument, NULL, OPTION_PROOFS},
	{"tiles", required_argument, NULL, OPTION_TILES},
	{"proof", required_argument, NULL, OPTION_PROOF},
	{"json", no_argument, NULL, OPTION_JSON},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{0},
};

#define MASK(value) (1u << ((value)-OPTION_KEY))

struct command {
	const char *name;
	unsigned takes, needs; /* masks of options */
	int n_min, n_max;      /* words after it */
	int (*handler)(const struct settings *settings);
};

#define EVERY (MASK(OPTION_KEY) | MASK(OPTION_KEYS) | MASK(OPTION_JSON))

static const struct command commands[] = {
	{"log",
		EVERY | MASK(OPTION_WITNESS) | MASK(OPTION_MAX_GAP) | MASK(OPTION_SEALED) |
			MASK(OPTION_SANDBOX) | MASK(OPTION_FROM) | MASK(OPTION_TO),
		MASK(OPTION_KEY), 1, 1, command_log},
	{"stream", EVERY | MASK(OPTION_PROOFS), MASK(OPTION_KEY) | MASK(OPTION_PROOFS), 0, 1,
		command_stream},
	{"proof", EVERY, MASK(OPTION_KEY), 1, 1 << 20, command_proof},
	{"consistency", EVERY | MASK(OPTION_TILES) | MASK(OPTION_PROOF), MASK(OPTION_KEY), 2, 2,
		command_consistency},
};

static int misused(const char *sentence)
{
	fprintf(stderr, "cloche-verify: %s\n'cloche-verify --help' says how it is used.\n",
		sentence);
	return EXIT_FAILED;
}

static bool read_number(const char *text, uint64_t *ret_value)
{
	return span_number((struct span){text, strlen(text)}, ret_value) && *ret_value > 0;
}

static bool read_option(int value, struct settings *settings)
{
	switch ((enum option_value)value) {
	case OPTION_KEY:
		settings->key = optarg;
		return true;
	case OPTION_KEYS:
		settings->keys = optarg;
		return true;
	case OPTION_WITNESS:
		settings->witness = optarg;
		return true;
	case OPTION_MAX_GAP:
		if (!read_number(optarg, &settings->max_gap_ns) ||
			settings->max_gap_ns > UINT64_MAX / 1000000000)
			return false;
		settings->max_gap_ns *= 1000000000;
		return true;
	case OPTION_SEALED:
		settings->sealed = true;
		return true;
	case OPTION_SANDBOX:
		settings->has_sandbox = true;
		return sandbox_read((struct span){optarg, strlen(optarg)}, &settings->sandbox);
	case OPTION_FROM:
		return read_number(optarg, &settings->from);
	case OPTION_TO:
		return read_number(optarg, &settings->to);
	case OPTION_PROOFS:
		settings->proofs = optarg;
		return true;
	case OPTION_TILES:
		settings->tiles = optarg;
		return true;
	case OPTION_PROOF:
		settings->proof = optarg;
		return true;
	case OPTION_JSON:
		settings->json = true;
		return true;
	case OPTION_HELP:
	case OPTION_VERSION:
		break;
	}
	return false;
}

static const struct command *find_command(struct settings *settings)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!settings->n_words || strcmp(settings->words[0], commands[i].name) != 0)
			continue;
		settings->words++;
		settings->n_words--;
		return &commands[i];
	}
	return &commands[0];
}

static int run(struct settings *settings, unsigned given)
{
	const struct command *command = find_command(settings);
	unsigned range = given & (MASK(OPTION_FROM) | MASK(OPTION_TO));

	if ((given & command->needs) != command->needs)
		return misused(command->needs & MASK(OPTION_PROOFS)
				       ? "--key and --proofs are needed."
				       : "--key is needed.");
	if (given & ~command->takes)
		return misused("an option was given that the command does not take.");
	if (settings->n_words < command->n_min || settings->n_words > command->n_max)
		return misused("the command takes another number of words.");
	if (range && (range != (MASK(OPTION_FROM) | MASK(OPTION_TO)) ||
			     settings->from > settings->to || settings->witness ||
			     settings->sealed || settings->has_sandbox || settings->max_gap_ns))
		return misused("--from and --to come together, alone, and in this order.");
	if (command->handler == command_consistency && !settings->tiles == !settings->proof)
		return misused("one of --tiles and --proof is needed.");
	settings->has_range = range;
	return command->handler(settings);
}

int main(int argc, char **argv)
{
	struct settings settings = {0};
	unsigned given = 0;
	int value, code;

	while ((value = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (value == OPTION_HELP) {
			fputs(help, stdout);
			return EXIT_VALID;
		}
		if (value == OPTION_VERSION) {
			printf("cloche-verify %s\n", CLOCHE_VERSION);
			return EXIT_VALID;
		}
		if (value == '?')
			return misused("an option is not known, or lacks its value.");
		if (!read_option(value, &settings))
			return misused("an option has a value that it cannot have.");
		given |= MASK(value);
	}
	settings.words = argv + optind;
	settings.n_words = argc - optind;
	code = run(&settings, given);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "cloche-verify: standard output: %s\n", strerror(errno));
		return EXIT_FAILED;
	}
	return code;
}
