// Package x501 reads the distinguished names of certificates (X.501), and writes them so that equal names are equal
// texts.
package x501
