/* Addresses for people. */
#pragma once

#include <stdint.h>

#define ADDRESS_TEXT_SIZE 64

/* 16 bytes in network order: "203.0.113.7" for an IPv4-mapped address, else IPv6 text (RFC 5952).
 */
void address_to_text(const uint8_t bytes[16], char ret_text[ADDRESS_TEXT_SIZE]);
