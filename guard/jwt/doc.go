// Package jwt is the guard that knows peers by their tokens: signed statements of an issuer (RFC 7519) of who somebody is,
// what they may do, and until when.
//
//	keys of the file ───────────────┐
//	                                ▼
//	issuer ── fetched by a task ──▶ key set          known tokens
//	                                │ kid, alg         ▲    │
//	token ──▶ parse ──▶ key ──▶ signature ──▶ claims ──┘    ▼
//	                                              times, iss, aud ──▶ session
//
// A token is taken if it is signed by one of the keys, is neither too early nor too late, and is of the issuer and for the
// audience that the options name. Signatures by RSA (RS and PS), by elliptic curves (ES) and by Ed25519 (EdDSA) are
// taken, and never those by a shared secret (HS), nor a token without a signature. A key without alg is used with all
// algorithms that fit it. A token without kid is taken only if one key alone fits its algorithm.
//
// # Keys
//
// Keys stand in the file, or are fetched: from the address that keys gives, else from /.well-known/jwks.json of the issuer,
// and if that has none, from where /.well-known/openid-configuration of the issuer says. They are fetched in the background
// and again from time to time; when that fails, those of before stay in use. When a token names a key that is not there,
// they are fetched at once, but for that reason at most once in ten seconds.
//
// # Claims
//
// The option roles, identity and attributes name claims. A name with dots is first looked for as it stands, then as a path
// into claims inside of claims: realm_access.roles.
//
// # Sessions
//
// All tokens of one peer with the same roles and attributes share a session. Who comes with a later token extends it, and
// also those sessions of the same peer that have fewer roles, so that a stream goes on as long as its peer brings new
// tokens in time. A session never ends earlier than its token, and gets no role that its own token did not have.
package jwt
