#include "supervisor/base/address.h"

#include <arpa/inet.h>
#include <string.h>

void address_to_text(const uint8_t bytes[16], char ret_text[ADDRESS_TEXT_SIZE])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (memcmp(bytes, mapped, sizeof(mapped)) == 0)
		inet_ntop(AF_INET, bytes + 12, ret_text, ADDRESS_TEXT_SIZE);
	else
		inet_ntop(AF_INET6, bytes, ret_text, ADDRESS_TEXT_SIZE);
}
