// Package filesystem is the vault that keeps keys and certificates in files: PKCS12 stores, as Java and openssl write
// them, and PEM files, as Kubernetes and certbot give them.
//
//	keys, trust, signers ──┐
//	crls ──────────────────┴─ read ──▶ holding ──▶ Contents
//	                           ▲                      │ Revoked
//	                       watch task                 ▼
//	                                         lists of crls, or fetched
//	                                       from where a certificate says
//
// All files are read as one unit, first when the configuration is read, and again when one of them changes. What cannot
// be read as a whole is not taken: what the vault held stays.
//
// # Aliases
//
// In a PKCS12 store an entry's alias is its friendly name; keys and trusted certificates without one are numbered, "1",
// "2" and so on, as Java does. In a PEM file it is the friendly name in the text before the certificate, as openssl
// writes it there, else the name of the file without folder and extension. Names that Kubernetes and certbot give to all
// files (tls, ca, fullchain and so on) tell nothing: then it is the name of the folder. Several entries may have the same
// alias, such as all certificates of a bundle. Upper and lower case are the same.
//
// # Revocation
//
// With the option revocation: crl, every certificate of a chain but the root needs a list of its issuer that is in
// force. If none can be had, the certificate is refused.
package filesystem
