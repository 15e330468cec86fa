package kernel_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"trafficgpt/kernel"
	"trafficgpt/kernel/client"
	"trafficgpt/kernel/kerneltest"
	"trafficgpt/kernel/wire"
)

func TestShutdown(t *testing.T) {
	for _, restart := range []bool{false, true} {
		engine := kerneltest.NewEngine()
		k := kerneltest.Start(t, "tcp", engine, kernel.Options{})
		c := k.Dial()
		other := k.Dial()
		// Also while a cell runs.
		if _, err := c.Request("execute_request", client.ExecuteRequest{Code: "sleep 1m"}); err != nil {
			t.Fatal(err)
		}
		if reply := askControl(t, c, "shutdown_request", map[string]any{"restart": restart}); reply["status"] != "ok" || reply["restart"] != restart {
			t.Errorf("reply %v", reply)
		}
		if err := k.Wait(); err != nil || !engine.Closed() {
			t.Errorf("Run returned %v, engine closed: %v", err, engine.Closed())
		}
		for {
			m, err := other.IOPub.Take(patience)
			if err != nil {
				t.Fatalf("the other client was not told: %v", err)
			}
			if m.Header.MsgType == "shutdown_reply" {
				break
			}
		}
	}
}

func TestIPCLeavesNoFiles(t *testing.T) {
	k := kerneltest.Start(t, "ipc", kerneltest.NewEngine(), kernel.Options{})
	c := k.Dial()
	execute(t, c, "print x")
	k.Stop()
	if err := k.Wait(); err != nil {
		t.Fatal(err)
	}
	for port := 1; port <= 5; port++ {
		if _, err := os.Stat(k.File.IP + "-" + strconv.Itoa(port)); !os.IsNotExist(err) {
			t.Errorf("socket %d is left: %v", port, err)
		}
	}
}

func TestParentDeathEndsTheKernel(t *testing.T) {
	parent := exec.Command("sleep", "60")
	if err := parent.Start(); err != nil {
		t.Fatal("no process to be the parent: ", err)
	}
	k := kerneltest.Start(t, "tcp", kerneltest.NewEngine(), kernel.Options{Parent: parent.Process.Pid})
	execute(t, k.Dial(), "print x")
	parent.Process.Kill()
	parent.Wait()
	if err := k.Wait(); err != nil {
		t.Error(err)
	}
}

func TestRunErrors(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	write := func(name, content string) string {
		path := dir + "/" + name
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	port := taken.Addr().(*net.TCPAddr).Port
	for name, test := range map[string]struct{ path, want string }{
		"missing":    {dir + "/none.json", "none.json"},
		"no JSON":    {write("a.json", "{"), "a.json"},
		"no ip":      {write("b.json", "{}"), "no ip"},
		"bad port":   {write("c.json", `{"ip":"127.0.0.1","shell_port":70000}`), "70000"},
		"bad scheme": {write("d.json", `{"ip":"127.0.0.1","signature_scheme":"rot13","key":"k"}`), "rot13"},
		"transport":  {write("e.json", `{"ip":"127.0.0.1","transport":"pigeon"}`), "pigeon"},
		"in use":     {write("f.json", fmt.Sprintf(`{"ip":"127.0.0.1","iopub_port":%d}`, port)), "iopub"},
	} {
		engine := kerneltest.NewEngine()
		err := kernel.Run(t.Context(), test.path, engine, kernel.Options{HistoryFile: "none"})
		if err == nil || !strings.Contains(err.Error(), test.want) || !engine.Closed() {
			t.Errorf("%s: %v, engine closed: %v", name, err, engine.Closed())
		}
	}
}

// onBoth tests a kernel over TCP and one over IPC.
func onBoth(t *testing.T, test func(t *testing.T, k *kerneltest.Kernel, c *client.Client)) {
	for _, transport := range []string{"tcp", "ipc"} {
		t.Run(transport, func(t *testing.T) {
			k := kerneltest.Start(t, transport, kerneltest.NewEngine(), kernel.Options{})
			test(t, k, k.Dial())
		})
	}
}

// Whatever these clients do, the good one notices nothing.
func TestBadClients(t *testing.T) { onBoth(t, testBadClients) }

func testBadClients(t *testing.T, k *kerneltest.Kernel, c *client.Client) {
	for _, port := range []int{k.File.ShellPort, k.File.IOPubPort, k.File.StdinPort, k.File.ControlPort, k.File.HBPort} {
		silent, err := client.DialRaw(k.File, port)
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		garbage, err := client.DialRaw(k.File, port)
		if err != nil {
			t.Fatal(err)
		}
		garbage.Write(bytes.Repeat([]byte("garbage "), 1000))
		garbage.Close()
	}
	bad, err := client.DialSocket(k.File, wire.Dealer, k.File.ShellPort, "bad", time.Now().Add(patience))
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	message, err := c.Message("execute_request", "", client.ExecuteRequest{Code: "print once", StoreHistory: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed := c.Encode(message)
	forged := append([][]byte{}, signed...)
	forged[1] = bytes.Repeat([]byte("0"), 64)
	for _, frames := range [][][]byte{{}, {{}}, {[]byte("<IDS|MSG>")}, forged, {[]byte("<IDS|MSG>"), {}, {}, {}, {}, {}}, make([][]byte, 500)} {
		if err := bad.Send(frames); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.SendShell(signed); err != nil {
		t.Fatal(err)
	}
	e, err := c.Finish(message.Header.MsgID, c.Shell, patience)
	if err != nil || e.Stream("stdout") != "once\n" {
		t.Fatalf("the good client got %q, %v", e.Stream("stdout"), err)
	}
	// The same message again, from whomever, is not executed again.
	if err := bad.Send(signed); err != nil {
		t.Fatal(err)
	}
	if e := execute(t, c, "print after"); client.Content(e.Reply)["execution_count"] != 2.0 {
		t.Errorf("a replayed message was executed: %v", client.Content(e.Reply))
	}
	// And the connection that did all this still works.
	last, err := c.Message("kernel_info_request", "", map[string]any{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := bad.Send(c.Encode(last)); err != nil {
		t.Fatal(err)
	}
	if _, err := bad.Recv(); err != nil {
		t.Errorf("after its garbage: %v", err)
	}
	for _, want := range []string{"wrong signature", "replayed", "delimiter"} {
		if !strings.Contains(k.Log(), want) {
			t.Errorf("the log does not speak of %q:\n%s", want, k.Log())
		}
	}
}

// A client that hangs up without a word while its cell runs, and comes back
// under the same name, finds the kernel working.
func TestVanishedClient(t *testing.T) { onBoth(t, testVanishedClient) }

func testVanishedClient(t *testing.T, k *kerneltest.Kernel, c *client.Client) {
	if _, err := c.Request("execute_request", client.ExecuteRequest{Code: "sleep 100ms\nprint done"}); err != nil {
		t.Fatal(err)
	}
	c.Close()
	again := k.Dial()
	if e := execute(t, again, "print here"); e.Stream("stdout") != "here\n" {
		t.Errorf("%q", e.Stream("stdout"))
	}
}

func TestWelcomeComesFirstForEveryone(t *testing.T) {
	k, c := start(t)
	stop := make(chan struct{})
	var noise sync.WaitGroup
	noise.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := c.Execute("print noise", patience); err != nil {
					return
				}
			}
		}
	})
	for range 50 {
		other, err := client.Dial(k.File, patience) // fails unless the welcome is first
		if err != nil {
			t.Fatal(err)
		}
		e, err := other.Execute("print mine", patience)
		if err != nil || e.Stream("stdout") != "mine\n" {
			t.Errorf("%v, %v", e, err)
		}
		other.Close()
	}
	close(stop)
	noise.Wait()
}

// TestStorm publishes 200,000 stream messages beside a stalled and a half-open
// subscriber: the five that read get all of them, in order.
func TestStorm(t *testing.T) { onBoth(t, testStorm) }

func testStorm(t *testing.T, k *kerneltest.Kernel, c *client.Client) {
	shown := 200_000
	if testing.Short() { // the race detector makes each ten times as dear
		shown = 20_000
	}
	halfOpen, err := client.DialRaw(k.File, k.File.IOPubPort)
	if err != nil {
		t.Fatal(err)
	}
	defer halfOpen.Close()
	stalled := subscribe(t, k)
	defer stalled.Close()
	var readers sync.WaitGroup
	for range 5 {
		sub := subscribe(t, k)
		readers.Go(func() {
			defer sub.Close()
			for i := 0; i < shown; {
				frames, err := sub.Recv()
				if err != nil {
					t.Errorf("lost after %d messages: %v", i, err)
					return
				}
				content := frames[len(frames)-1]
				if !bytes.Contains(content, []byte(`"line `)) {
					continue
				}
				if !bytes.Contains(content, []byte(`"line `+strconv.Itoa(i)+`\n"`)) {
					t.Errorf("message %d is %s", i, content)
					return
				}
				i++
			}
		})
	}
	began := time.Now()
	id, err := c.Request("execute_request", client.ExecuteRequest{Code: "storm " + strconv.Itoa(shown)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Finish(id, c.Shell, 2*time.Minute); err != nil {
		t.Error(err)
	}
	readers.Wait()
	t.Logf("%d messages to 6 readers in %v", shown, time.Since(began).Round(time.Millisecond))
}

func subscribe(t *testing.T, k *kerneltest.Kernel) *wire.Conn {
	t.Helper()
	sub, err := client.DialSocket(k.File, wire.Sub, k.File.IOPubPort, "", time.Now().Add(patience))
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Send([][]byte{{1}}); err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Recv(); err != nil { // the welcome
		t.Fatal(err)
	}
	return sub
}
