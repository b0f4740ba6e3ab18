/* A candidate beside the policy in force: it is asked, and no verdict depends on it. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/kernel-scene.h"
#include "tests/table/rows.h"

static const struct policy_image no_rules;

static struct abi_exact_key key_443 = {.port = 443, .protocol = IPPROTO_TCP};
static uint32_t rule_4 = 4;

/* One address, port 443, by rule 4. */
static const struct policy_image *one_rule(void)
{
	static const struct policy_image image = {
		.exact_keys = &key_443, .exact_rules = &rule_4, .n_exact = 1};

	key_443.address = row_address("203.0.113.9");
	return &image;
}

static int act_connect(struct kernel_scene *scene, const void *argument)
{
	struct sockaddr_storage address;
	socklen_t size = kernel_address(argument, 443, &address);
	int fd = socket(address.ss_family, SOCK_STREAM, 0);

	(void)scene;
	return connect(fd, (struct sockaddr *)&address, size) < 0 ? errno : 0;
}

static uint32_t ask(
	struct kernel_scene *scene, const struct kernel_sandbox *sandbox, uint32_t image)
{
	uint32_t generation = 0;

	CHECK_INT(enforce_shadow_next(scene->enforce, sandbox->slot, &generation), 0);
	CHECK(generation & ABI_SHADOW_GENERATION);
	CHECK_INT(enforce_shadow_bind(scene->enforce, sandbox->slot, image, generation), 0);
	return generation;
}

struct counts {
	uint32_t slot, generation;
	uint64_t n[4];
	uint16_t rules[4];
};

static bool add_count(const struct abi_shadow_key *key, uint64_t n, void *userdata)
{
	struct counts *counts = userdata;

	if (key->slot != counts->slot || key->generation != counts->generation || n == 0)
		return false;
	counts->n[key->outcome] += n;
	counts->rules[key->outcome] = key->rule;
	return false;
}

static bool take_count(const struct abi_shadow_key *key, uint64_t n, void *userdata)
{
	const struct counts *counts = userdata;

	add_count(key, n, userdata);
	return key->slot == counts->slot && key->generation == counts->generation;
}

static const struct abi_network_event *connects(
	struct kernel_scene *scene, const struct kernel_sandbox *sandbox, int expected)
{
	kernel_scene_events(scene);
	CHECK_INT(kernel_sandbox_run(scene, sandbox, act_connect, "203.0.113.9"), expected);
	kernel_scene_drain(scene);
	kernel_scene_events(scene);
	return kernel_scene_network_event(scene);
}

TEST(shadow_says_what_it_would_and_changes_nothing)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox allows, denies;
	const struct abi_network_event *event;
	struct counts counts = {0};
	uint32_t next = 0;

	kernel_sandbox_make(scene, &allows);
	kernel_sandbox_bind(scene, &allows, "shadow-one", one_rule(), true);
	kernel_sandbox_make(scene, &denies);
	kernel_sandbox_bind(scene, &denies, "shadow-none", &no_rules, true);
	event = connects(scene, &allows, 0);
	CHECK_INT(event->shadow, 0);

	counts = (struct counts){
		.slot = allows.slot, .generation = ask(scene, &allows, denies.image)};
	event = connects(scene, &allows, 0);
	CHECK_INT(event->verdict, ABI_VERDICT_REDIRECT);
	CHECK_INT(event->rule, 4);
	CHECK_INT(event->shadow, ABI_SLOT_POLICY(counts.generation, denies.image));
	CHECK_INT(event->shadow_verdict, ABI_VERDICT_DENY);
	CHECK_INT(event->shadow_reason, ABI_REASON_DEFAULT);
	CHECK_INT(event->shadow_rule, ABI_RULE_NONE);
	CHECK_INT(enforce_shadow_take(scene->enforce, add_count, &counts), 0);
	CHECK_INT(counts.n[ABI_SHADOW_WOULD_DENY], 1);
	CHECK_INT(counts.rules[ABI_SHADOW_WOULD_DENY], 4);
	CHECK_INT(counts.n[ABI_SHADOW_AGREED] + counts.n[ABI_SHADOW_WOULD_ALLOW], 0);

	counts = (struct counts){
		.slot = denies.slot, .generation = ask(scene, &denies, allows.image)};
	event = connects(scene, &denies, EPERM);
	CHECK_INT(event->verdict, ABI_VERDICT_DENY);
	CHECK_INT(event->shadow_verdict, ABI_VERDICT_REDIRECT);
	CHECK_INT(event->shadow_rule, 4);
	CHECK_INT(enforce_shadow_take(scene->enforce, add_count, &counts), 0);
	CHECK_INT(counts.n[ABI_SHADOW_WOULD_ALLOW], 1);
	CHECK_INT(counts.rules[ABI_SHADOW_WOULD_ALLOW], 4);

	enforce_shadow_clear(scene->enforce, denies.slot);
	event = connects(scene, &denies, EPERM);
	CHECK_INT(event->shadow, 0);
	CHECK_INT(enforce_shadow_next(scene->enforce, denies.slot, &next), 0);
	CHECK_INT(next, counts.generation + 1);
	counts.n[ABI_SHADOW_WOULD_ALLOW] = 0;
	CHECK_INT(enforce_shadow_take(scene->enforce, take_count, &counts), 0);
	CHECK_INT(counts.n[ABI_SHADOW_WOULD_ALLOW], 1);
	CHECK_INT(enforce_shadow_take(scene->enforce, take_count, &counts), 0);
	CHECK_INT(counts.n[ABI_SHADOW_WOULD_ALLOW], 1);
	kernel_sandbox_end(scene, &denies);
	kernel_sandbox_end(scene, &allows);
}

TEST(shadow_tickets_open_nothing)
{
	struct kernel_scene *scene = kernel_scene();
	const struct abi_network_event *event;
	struct kernel_sandbox sandbox;
	struct abi_ticket ticket = {.n_ranges = 1, .ranges = {ROW_RANGE(443, 443, 5)}};
	uint32_t generation;

	kernel_sandbox_make(scene, &sandbox);
	kernel_sandbox_bind(scene, &sandbox, "shadow-none", &no_rules, true);
	ticket.sandbox = sandbox.id;
	CHECK_INT(enforce_shadow_next(scene->enforce, sandbox.slot, &generation), 0);
	CHECK_INT(enforce_ticket_put(scene->enforce, sandbox.slot, generation, 3, &ticket), 0);
	CHECK_INT(enforce_ticket_put(scene->enforce, sandbox.slot, generation + 1, 3, &ticket),
		-EINVAL);
	CHECK_INT(enforce_shadow_bind(scene->enforce, sandbox.slot, sandbox.image, generation + 1),
		-EINVAL);
	CHECK_INT(enforce_shadow_bind(scene->enforce, sandbox.slot, sandbox.image, generation), 0);
	kernel_scene_events(scene);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, "198.18.1.3"), EPERM);
	kernel_scene_events(scene);
	event = kernel_scene_network_event(scene);
	CHECK_INT(event->reason, ABI_REASON_TICKET);
	CHECK_INT(event->shadow_verdict, ABI_VERDICT_REDIRECT);
	CHECK_INT(event->shadow_rule, 5);
	kernel_sandbox_end(scene, &sandbox);
}
