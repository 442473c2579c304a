/**
 * Signatures for mote-slots.h by Orson Peters' Ed25519 in C (github.com/orlp/ed25519, zlib licence), which npm's ed25519-supercop brings along:
 * its verify.c, ge.c, fe.c, sc.c and sha512.c belong to the program, beside this header's includer. Another library takes functions of the same kind.
 *
 *   static sha512_context hash;
 *   static const uint8_t keys[][MOTE_KEY_BYTES] = {FIELD_KEY};   from field.h, which `mote keygen -o field` wrote
 *   static const mote_signatures signatures = MOTE_ED25519(&hash, keys);
 */
#ifndef MOTE_ED25519_H
#define MOTE_ED25519_H

#include "ed25519.h"
#include "mote-slots.h"
#include "sha512.h"

static inline void mote_sha512_begin(void *state) { sha512_init((sha512_context *)state); }

static inline void mote_sha512_add(void *state, const uint8_t *bytes, size_t count) {
  sha512_update((sha512_context *)state, bytes, count);
}

static inline void mote_sha512_end(void *state, uint8_t *digest) { sha512_final((sha512_context *)state, digest); }

static inline bool mote_ed25519_verify(const uint8_t *signature, const uint8_t *message, size_t message_bytes, const uint8_t *key) {
  return ed25519_verify(signature, message, message_bytes, key) == 1;
}

/** @param hash a sha512_context @param keys an array of public keys, not a pointer to one */
#define MOTE_ED25519(hash, keys) \
  {mote_sha512_begin, mote_sha512_add, mote_sha512_end, mote_ed25519_verify, (hash), (keys), sizeof(keys) / sizeof(keys)[0]}

#endif
