package test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"
)

// raw is a codec of gRPC for messages that are bytes.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (raw) Unmarshal(b []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(b)
	return nil
}

func (raw) Name() string { return "raw" }

// A greeter is the service that is behind the gateway.
type greeter struct{}

func (greeter) unary(ctx context.Context, b []byte) ([]byte, error) {
	asked, _ := metadata.FromIncomingContext(ctx)
	grpc.SetHeader(ctx, metadata.Pairs("x-head", strings.Join(asked["x-asked"], ","), "x-bin", strings.Join(asked["x-bin"], "")))
	grpc.SetTrailer(ctx, metadata.Pairs("x-tail", "tail", "x-tail-bin", "\x00\x01\xff"))
	switch string(b) {
	case "fail":
		return nil, grpcstatus.Error(codes.FailedPrecondition, "not now: ä%\n")
	case "wait":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return append([]byte("hello, "), b...), nil
}

var greeterDesc = grpc.ServiceDesc{
	ServiceName: "example.Greeter",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Unary", Handler: func(s any, ctx context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var b []byte
		if err := dec(&b); err != nil {
			return nil, err
		}
		out, err := s.(greeter).unary(ctx, b)
		return &out, err
	}}},
	Streams: []grpc.StreamDesc{
		{StreamName: "Up", ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
			n := 0
			for {
				var b []byte
				if err := s.RecvMsg(&b); err == io.EOF {
					out := fmt.Appendf(nil, "%d", n)
					return s.SendMsg(&out)
				} else if err != nil {
					return err
				}
				n += len(b)
			}
		}},
		{StreamName: "Down", ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
			var b []byte
			if err := s.RecvMsg(&b); err != nil {
				return err
			}
			for i := range 100 {
				out := fmt.Appendf(nil, "%d %s", i, b)
				if err := s.SendMsg(&out); err != nil {
					return err
				}
			}
			s.SetTrailer(metadata.Pairs("x-tail", "tail"))
			return grpcstatus.Error(codes.DataLoss, "at the end")
		}},
		{StreamName: "Both", ClientStreams: true, ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
			for {
				var b []byte
				if err := s.RecvMsg(&b); err == io.EOF {
					return nil
				} else if err != nil {
					return err
				}
				if err := s.SendMsg(&b); err != nil {
					return err
				}
			}
		}},
	},
}

// grpcServer serves it until the test ends.
func grpcServer(t testing.TB, options ...grpc.ServerOption) (port int) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(append(options, grpc.ForceServerCodec(raw{}))...)
	s.RegisterService(&greeterDesc, greeter{})
	go s.Serve(l) // until Stop
	t.Cleanup(s.Stop)
	return l.Addr().(*net.TCPAddr).Port
}

// TestGRPC has clients of grpc-go call a server of grpc-go.
func TestGRPC(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "in the clear", true: "TLS"}[secure], func(t *testing.T) {
			s, port := newStage(t), freePort(t)
			var options []grpc.ServerOption
			to, client := insecure.NewCredentials(), "options: { versions: [ h2 ] }"
			if secure {
				options = append(options, grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{s.server.TLS()}})))
				to, client = credentials.NewTLS(s.config()), ""
			}
			end := grpcServer(t, options...)
			g := h2Gateway(t, port, setting{stage: s, tls: secure, south: secure, server: "exit: out", client: client, end: end})
			conn, err := grpc.NewClient("passthrough:///"+address(port), grpc.WithTransportCredentials(to), grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
			if err != nil {
				t.Fatal(err)
			}
			c := &grpcClient{t, conn}
			t.Run("unary", func(t *testing.T) { c.in(t).unary() })
			t.Run("errors", func(t *testing.T) { c.in(t).errors() })
			t.Run("cancel", func(t *testing.T) { c.in(t).cancel() })
			t.Run("client stream", func(t *testing.T) { c.in(t).up() })
			t.Run("server stream", func(t *testing.T) { c.in(t).down() })
			t.Run("both ways", func(t *testing.T) { c.in(t).both() })
			t.Run("many", func(t *testing.T) { c.in(t).many() })
			conn.Close()
			g.terminate()
		})
	}
}

// TestGRPCSilence has calls that are silent for longer than a body may stand still, as those that watch something are, while each side
// is asked whether it is there.
func TestGRPCSilence(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	g := h2Gateway(t, port, setting{server: "exit: out", client: "options: { versions: [ h2 ] }", end: grpcServer(t),
		args: []string{"-P", "gozilla.limits.body=1s", "-P", "gozilla.limits.ping=1s"}})
	conn, err := grpc.NewClient("passthrough:///"+address(port), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"Both", "Up"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/example.Greeter/"+method)
			if err != nil {
				t.Fatal(err)
			}
			for i, said := range [][]byte{[]byte("one"), []byte("two")} {
				if i > 0 {
					time.Sleep(4 * time.Second)
				}
				if err := s.SendMsg(&said); err != nil {
					t.Fatal(err)
				}
				var got []byte
				if method == "Up" { // which answers at the end
					continue
				}
				if err := s.RecvMsg(&got); err != nil || !bytes.Equal(got, said) {
					t.Fatalf("%q: %q, %v", said, got, err)
				}
			}
			s.CloseSend()
			var got []byte
			if err := s.RecvMsg(&got); method == "Both" && err != io.EOF || method == "Up" && err != nil {
				t.Errorf("at the end: %q, %v", got, err)
			}
		})
	}
	t.Cleanup(func() {
		conn.Close()
		g.terminate()
	})
}

type grpcClient struct {
	t *testing.T
	*grpc.ClientConn
}

func (c grpcClient) in(t *testing.T) *grpcClient { c.t = t; return &c }

// call is a unary call.
func (c *grpcClient) call(ctx context.Context, method, said string, options ...grpc.CallOption) (string, error) {
	in, out := []byte(said), []byte(nil)
	err := c.Invoke(ctx, "/example.Greeter/"+method, &in, &out, options...)
	return string(out), err
}

func (c *grpcClient) unary() {
	ctx := metadata.AppendToOutgoingContext(c.t.Context(), "x-asked", "a", "x-asked", "b", "x-bin", "binary")
	var head, tail metadata.MD
	for _, said := range []string{"me", "", strings.Repeat("x", 1<<20)} {
		got, err := c.call(ctx, "Unary", said, grpc.Header(&head), grpc.Trailer(&tail))
		if err != nil || got != "hello, "+said {
			c.t.Fatalf("%.100q, %v", got, err)
		}
		if fmt.Sprint(head["x-head"], head["x-bin"]) != "[a,b] [binary]" || fmt.Sprint(tail["x-tail"]) != "[tail]" || fmt.Sprintf("%q", tail["x-tail-bin"]) != `["\x00\x01\xff"]` {
			c.t.Errorf("headers %v, trailers %v", head, tail)
		}
	}
}

func (c *grpcClient) errors() {
	var tail metadata.MD
	_, err := c.call(c.t.Context(), "Unary", "fail", grpc.Trailer(&tail))
	if s := grpcstatus.Convert(err); s.Code() != codes.FailedPrecondition || s.Message() != "not now: ä%\n" || fmt.Sprint(tail["x-tail"]) != "[tail]" {
		c.t.Errorf("%v, %q, trailers %v", s.Code(), s.Message(), tail)
	}
	if _, err := c.call(c.t.Context(), "Unknown", "me"); grpcstatus.Code(err) != codes.Unimplemented {
		c.t.Errorf("an unknown method: %v", err)
	}
}

// A client that goes ends the call at the server too.
func (c *grpcClient) cancel() {
	ctx, cancel := context.WithCancel(c.t.Context())
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/example.Greeter/Both")
	if err != nil {
		c.t.Fatal(err)
	}
	said, got := []byte("hello"), []byte(nil)
	if err := s.SendMsg(&said); err != nil {
		c.t.Fatal(err)
	}
	if err := s.RecvMsg(&got); err != nil || string(got) != "hello" {
		c.t.Fatalf("%q, %v", got, err)
	}
	cancel()
	if err := s.RecvMsg(&got); grpcstatus.Code(err) != codes.Canceled {
		c.t.Errorf("%v", err)
	}
	if got, err := c.call(c.t.Context(), "Unary", "next"); err != nil || got != "hello, next" {
		c.t.Errorf("the next call: %q, %v", got, err)
	}
}

func (c *grpcClient) up() {
	s, err := c.NewStream(c.t.Context(), &grpc.StreamDesc{ClientStreams: true}, "/example.Greeter/Up")
	if err != nil {
		c.t.Fatal(err)
	}
	b := noise(100_000)
	for range 50 {
		if err := s.SendMsg(&b); err != nil {
			c.t.Fatal(err)
		}
	}
	s.CloseSend()
	var got []byte
	if err := s.RecvMsg(&got); err != nil || string(got) != "5000000" {
		c.t.Errorf("%q, %v", got, err)
	}
}

func (c *grpcClient) down() {
	s, err := c.NewStream(c.t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/example.Greeter/Down")
	if err != nil {
		c.t.Fatal(err)
	}
	said := noise(20_000)
	if err := s.SendMsg(&said); err != nil {
		c.t.Fatal(err)
	}
	s.CloseSend()
	for i := range 100 {
		var got []byte
		if err := s.RecvMsg(&got); err != nil || string(got) != fmt.Sprintf("%d %s", i, said) {
			c.t.Fatalf("message %d: %.100q, %v", i, got, err)
		}
	}
	var got []byte
	if err := s.RecvMsg(&got); grpcstatus.Code(err) != codes.DataLoss || fmt.Sprint(s.Trailer()["x-tail"]) != "[tail]" {
		c.t.Errorf("at the end: %v, trailers %v", err, s.Trailer())
	}
}

func (c *grpcClient) both() {
	s, err := c.NewStream(c.t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/example.Greeter/Both")
	if err != nil {
		c.t.Fatal(err)
	}
	for i := range 200 {
		said, got := noise(i*100), []byte(nil)
		if err := s.SendMsg(&said); err != nil {
			c.t.Fatal(err)
		}
		if err := s.RecvMsg(&got); err != nil || !bytes.Equal(got, said) {
			c.t.Fatalf("message %d: %d bytes, %v", i, len(got), err)
		}
	}
	s.CloseSend()
	var got []byte
	if err := s.RecvMsg(&got); err != io.EOF {
		c.t.Errorf("at the end: %v", err)
	}
}

func (c *grpcClient) many() {
	var all sync.WaitGroup
	for i := range 300 {
		all.Go(func() {
			said := fmt.Sprint(i)
			if got, err := c.call(c.t.Context(), "Unary", said); err != nil || got != "hello, "+said {
				c.t.Errorf("call %d: %q, %v", i, got, err)
			}
		})
	}
	all.Wait()
}
