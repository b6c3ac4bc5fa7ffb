//go:build !portable && linux

package h2_test

const spare = 0
