# SPDX-License-Identifier: MIT

datagrams = list(depends_requests(collect(())))
after = reseed
if names:
    rehearse()
# What was loaded for this alone is not there in a cold start.
for name in set(sys.modules) - present:
    del sys.modules[name]
