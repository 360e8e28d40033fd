/* SPDX-License-Identifier: MIT */
#ifndef WARM_PROTO_IMAGE_VERSION_H
#define WARM_PROTO_IMAGE_VERSION_H

/* Of what an image file says: image.proto, and Record of rpc.proto. Raised where a reader of before, or of images of
 * before, would be wrong. Raise SCHEMA_VERSION (cache/catalog.c) with it: at the next start of warmd the catalog is set
 * aside, and old images lead to nothing but a line in `warm ls`. */
#define IMAGE_VERSION 6u

#endif
