/* Addresses for people. */
#pragma once

#include "bpf/abi/types.h"

#define ADDRESS_TEXT_SIZE 64

/* "203.0.113.7" for an IPv4-mapped address, else IPv6 text (RFC 5952). */
void address_to_text(const struct abi_address *address, char ret_text[ADDRESS_TEXT_SIZE]);
