/* policy compile: the image that the kernel judges by, with its hash; the same bytes for the same
 * policy, wherever it is compiled. */
#include <stdio.h>
#include <string.h>

#include "supervisor/digest/sha256.h"
#include "tools/cloche/call.h"
#include "tools/cloche/print.h"
#include "tools/policy/file.h"

static json_t *image_text_address(const struct abi_address *address)
{
	char text[2 * sizeof(address->bytes) + 1];

	for (size_t i = 0; i < sizeof(address->bytes); i++)
		snprintf(text + 2 * i, 3, "%02x", address->bytes[i]);
	return json_string(text);
}

static json_t *write_exact(const struct policy_image *image)
{
	json_t *list = json_array();

	for (size_t i = 0; i < image->n_exact; i++) {
		const struct abi_exact_key *key = &image->exact_keys[i];

		json_array_append_new(list,
			json_pack("[o, i, i, i]", image_text_address(&key->address),
				(int)key->protocol, (int)key->port, (int)image->exact_rules[i]));
	}
	return list;
}

static json_t *write_prefixes(const struct policy_image *image)
{
	json_t *list = json_array();

	for (size_t i = 0; i < image->n_cidr; i++) {
		const struct abi_cidr_value *value = &image->cidr_values[i];
		json_t *ranges = json_array();

		for (uint32_t j = 0; j < value->n_ranges; j++)
			json_array_append_new(ranges,
				json_pack("[i, i, i, i]", (int)value->ranges[j].protocol,
					(int)value->ranges[j].first, (int)value->ranges[j].last,
					(int)value->ranges[j].rule));
		json_array_append_new(list,
			json_pack("[o, i, o]", image_text_address(&image->cidr_keys[i].address),
				(int)image->cidr_keys[i].prefix_bits, ranges));
	}
	return list;
}

static char *write_image(const struct policy *policy, const struct policy_image *image)
{
	json_t *root = json_pack("{s:i, s:s, s:s, s:s*, s:o, s:o}", "abi", ABI_VERSION, "policy",
		policy->name, "policy_sha256", policy->hash, "mode",
		policy->mode == POLICY_MODE_ENFORCE ? NULL : policy_mode_names[policy->mode],
		"exact", write_exact(image), "prefixes", write_prefixes(image));
	char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);

	json_decref(root);
	return text;
}

static int save(const char *path, const char *text)
{
	FILE *stream = fopen(path, "we");

	if (!stream)
		return -1;
	/* Nothing but the image: its hash is the file's. */
	fputs(text, stream);
	return fclose(stream) == 0 ? 0 : -1;
}

int command_policy_compile(struct client *client, const struct arguments *arguments)
{
	const char *output = arguments_text(arguments, "output");
	_cleanup_policy_ struct policy *policy = NULL;
	_cleanup_free_ char *text = NULL;
	struct policy_image *image = NULL;
	char hash[SHA256_HEX_SIZE];
	struct failure why = {0};

	if (arguments->n_words != 1 || arguments->n_rest)
		return call_misused(client, "policy compile wants one policy file.");
	if (policy_file_read(arguments->words[0], &policy, &why) < 0 ||
		policy_compile(policy, &image, &why) < 0) {
		policy_file_complain("", "", &why);
		return EXIT_CODE_FAILED;
	}
	policy_file_note_mode(policy);
	text = write_image(policy, image);
	if (!text || sha256_hex(text, strlen(text), hash) < 0) {
		policy_image_free(image);
		print_error("There is no memory left.");
		return EXIT_CODE_FAILED;
	}
	if (output && save(output, text) < 0) {
		print_error("%s cannot be written.", output);
		policy_image_free(image);
		return EXIT_CODE_FAILED;
	}
	if (client->json)
		print_verbatim(text, strlen(text));
	else
		printf("policy %s  %s\nimage  %s  %zu addresses, %zu prefixes\n", policy->hash,
			policy->name, hash, image->n_exact, image->n_cidr);
	policy_image_free(image);
	return EXIT_CODE_DONE;
}
