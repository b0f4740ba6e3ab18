#include "supervisor/core/address.h"

#include <arpa/inet.h>
#include <string.h>

void address_to_text(const struct abi_address *address, char ret_text[ADDRESS_TEXT_SIZE])
{
	static const __u8 mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (memcmp(address->bytes, mapped, sizeof(mapped)) == 0)
		inet_ntop(AF_INET, address->bytes + 12, ret_text, ADDRESS_TEXT_SIZE);
	else
		inet_ntop(AF_INET6, address->bytes, ret_text, ADDRESS_TEXT_SIZE);
}
