/* The one route that is added to a sandbox's network. */
#pragma once

/* In the network namespace of the calling thread: takes all addresses that stand for destinations
 * of datagrams (bpf/abi/datagram.h) as its own, on lo. For IPv4 127.0.0.0/8 is already. Returns 0,
 * also when the route is there; -errno, -EAFNOSUPPORT without IPv6. */
int route_add_datagrams(void);
