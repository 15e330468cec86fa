package ahead

import (
	"slices"
	"testing"
)

func TestSockets(t *testing.T) {
	const file = "{\n  \"shell_port\": 1,\n  \"iopub_port\": 2,\n  \"stdin_port\":3,\"control_port\" : 4 ,\n  \"hb_port\": 5,\n  \"ip\": \"127.0.0.1\",\n" +
		"  \"key\": \"a-b\",\n  \"transport\": \"tcp\",\n  \"signature_scheme\": \"hmac-sha256\"\n}"
	for _, test := range []struct {
		name string
		args []string
		file string
		want []string
	}{
		{"tcp", []string{"p", "kernel", "f"}, file, []string{"tcp:127.0.0.1:1", "tcp:127.0.0.1:4", "tcp:127.0.0.1:2", "tcp:127.0.0.1:3", "tcp:127.0.0.1:5"}},
		{"flags", []string{"p", "kernel", "--memory", "2", "f"}, `{"transport":"ipc","ip":"/tmp/k","shell_port":1,"control_port":2,"iopub_port":3,"stdin_port":4,"hb_port":5}`,
			[]string{"unix:/tmp/k-1", "unix:/tmp/k-2", "unix:/tmp/k-3", "unix:/tmp/k-4", "unix:/tmp/k-5"}},
		{"another command", []string{"p", "run", "f"}, file, nil},
		{"no file", []string{"p", "kernel", "f"}, "", nil},
		{"no arguments", []string{"p"}, file, nil},
		{"ports to choose", []string{"p", "kernel", "f"}, `{"transport":"tcp","ip":"127.0.0.1","shell_port":0}`, nil},
		{"escapes", []string{"p", "kernel", "f"}, `{"transport":"ipc","ip":"/tmp/\"k","shell_port":1}`, nil},
		{"another transport", []string{"p", "kernel", "f"}, `{"transport":"udp","ip":"1","shell_port":1}`, nil},
	} {
		var got []string
		for _, s := range sockets(test.args, func(string) string { return test.file }) {
			got = append(got, s[0]+":"+s[1])
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
