package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// FuzzResponse is as FuzzRequest.
func FuzzResponse(f *testing.F) {
	for i, s := range seeds() {
		f.Add([]byte(s), uint8(i))
	}
	f.Fuzz(func(t *testing.T, b []byte, m uint8) {
		method := []string{"GET", "HEAD", "CONNECT"}[m%3]
		n, err := End(b, 0, nil)
		if n == 0 || err != nil {
			return
		}
		var r Response
		if err := ParseResponse(b[:n], &r, method, nil); err != nil {
			if fault, ok := err.(*Fault); !ok || fault.Status != 502 {
				t.Fatalf("%#v", err)
			}
			return
		}
		if r.NoBody != (r.Status < 200 || r.Status == 204 || r.Status == 304 || method == "HEAD") && method != "CONNECT" {
			t.Fatalf("no body: %t, status %d", r.NoBody, r.Status)
		}
		if !r.NoBody {
			if err := sound(&r.Message); err != nil {
				t.Fatal(err)
			}
		}
		if err := sameAnswerAsStd(b[:n], &r, method); err != nil {
			t.Fatalf("%v\n%+v", err, r)
		}
		answerAgain(t, &r, method)
	})
}

// answerAgain writes a response as a gateway would, and reads it again.
func answerAgain(t *testing.T, r *Response, method string) {
	var again Response
	out := appendFraming(AppendStatusLine(nil, r.Status), &r.Message, !r.NoBody || r.Length > 0)
	out, err := AppendFields(out, r.Fields)
	if err != nil {
		t.Fatal(err)
	}
	if err := ParseResponse(append(out, "\r\n"...), &again, method, nil); err != nil {
		t.Fatal(err)
	}
	if again.Minor = r.Minor; r.NoBody && r.Length == 0 { // written without, so as to be what 204 is
		again.Length = 0
	}
	if !slices.Equal(r.Fields, again.Fields) {
		t.Fatalf("%q becomes %q", r.Fields, again.Fields)
	}
	if r.Fields = again.Fields; !reflect.DeepEqual(*r, again) {
		t.Fatalf("%+v becomes %+v", *r, again)
	}
}

// sameAnswerAsStd compares r with what net/http reads. What is repaired, it refuses or reads in another way.
func sameAnswerAsStd(b []byte, r *Response, method string) error {
	if repaired(b) {
		return nil
	}
	std, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), &http.Request{Method: method})
	if err != nil {
		text := err.Error()
		if strings.Contains(text, "bad trailer key") || strings.Contains(text, "malformed HTTP status code") {
			return nil // the first as with requests; the second for a status without a reason, before a tab
		}
		return fmt.Errorf("net/http: %w", err)
	}
	defer std.Body.Close()
	if std.StatusCode != r.Status || std.ProtoMinor != int(r.Minor) {
		return fmt.Errorf("net/http reads %d of minor version %d", std.StatusCode, std.ProtoMinor)
	}
	// To CONNECT, net/http reads the fields that count for nothing; and a length of 304 is nothing to it.
	if method != "CONNECT" && !r.NoBody {
		if std.ContentLength != r.Length || (len(std.TransferEncoding) > 0) != r.Chunked {
			return fmt.Errorf("net/http reads length %d, codings %q", std.ContentLength, std.TransferEncoding)
		}
		if std.Close != r.Close {
			return fmt.Errorf("net/http reads close %t", std.Close)
		}
	}
	return sameFields(std.Header, b, r.Fields)
}

// repaired reports whether a response has what ParseResponse repairs.
func repaired(b []byte) bool {
	lengths, codings := 0, 0
	for line := range bytes.SplitSeq(b, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(line) > 0 && (line[0] == ' ' || line[0] == '\t'), bytes.HasSuffix(name, []byte(" ")), bytes.HasSuffix(name, []byte("\t")):
			return true
		case bytes.EqualFold(name, []byte("content-length")):
			if lengths++; bytes.IndexByte(value, ',') >= 0 {
				return true
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			codings++
		}
	}
	return lengths > 1 || lengths > 0 && codings > 0
}
