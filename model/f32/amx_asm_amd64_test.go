package f32

import (
	le "encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// Few processors have tile registers, so the kernel is also read and carried out line by line here: what is written
// as text by its words, what is written as bytes by what they encode.

const amxFile = "gemm_amx_amd64.s"

// asmLine is one instruction: its text, or its bytes and what the comment before them calls it.
type asmLine struct {
	op   string
	args []string
	code []byte
	text string
}

// readTiles returns the instructions of tileamx, the places of its labels, and the bytes of its table.
func readTiles(t *testing.T) (lines []asmLine, labels map[string]int, table []byte) {
	t.Helper()
	file, err := os.ReadFile(amxFile)
	if err != nil {
		t.Fatal(err)
	}
	labels = map[string]int{}
	inside, comment := false, ""
	for line := range strings.Lines(string(file)) {
		line = strings.TrimSpace(line)
		op, rest, _ := strings.Cut(line, " ")
		switch {
		case op == "DATA":
			table = le.LittleEndian.AppendUint64(table, uint64(number(t, line[strings.Index(line, "$"):])))
		case op == "TEXT":
			inside = strings.Contains(line, "·tileamx(SB)")
		case !inside || line == "":
		case op == "//":
			comment = rest
		case strings.HasSuffix(line, ":"):
			labels[strings.TrimSuffix(line, ":")] = len(lines)
		case op == "LONG" || op == "BYTE":
			if comment != "" {
				lines = append(lines, asmLine{op: "bytes", text: comment})
				comment = ""
			}
			last := &lines[len(lines)-1]
			if last.op != "bytes" {
				t.Fatalf("%s: bytes without a comment after %q", amxFile, last.op)
			}
			if v := uint64(number(t, rest)); op == "LONG" {
				last.code = le.LittleEndian.AppendUint32(last.code, uint32(v))
			} else {
				last.code = append(last.code, byte(v))
			}
		default:
			lines = append(lines, asmLine{op: op, args: strings.Split(strings.ReplaceAll(rest, " ", ""), ",")})
		}
	}
	return lines, labels, table
}

func number(t *testing.T, s string) int64 {
	v, err := strconv.ParseUint(strings.TrimLeft(strings.TrimSpace(s), "$+"), 0, 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(v)
}

// gnuCode is what GNU as 2.40 makes of the instructions. It was made from the comments of the generated file:
//
//	(echo .intel_syntax noprefix; sed -n 's|^.*// \(ldtilecfg .*\|tile[a-z]* tmm.*\|tilestored .*\|tilerelease\|tdp.*\)|\1|p' gemm_amx_amd64.s | sort -u) >x.s
//	as x.s -o x.o && objdump -d x.o
var gnuCode = map[string]string{
	"ldtilecfg [rax]":                 "c4 e2 78 49 00",
	"tdpbf16ps tmm0, tmm4, tmm6":      "c4 e2 4a 5c c4",
	"tdpbf16ps tmm1, tmm4, tmm7":      "c4 e2 42 5c cc",
	"tdpbf16ps tmm2, tmm5, tmm6":      "c4 e2 4a 5c d5",
	"tdpbf16ps tmm3, tmm5, tmm7":      "c4 e2 42 5c dd",
	"tileloadd tmm0, [rbx+r11*1]":     "c4 a2 7b 4b 04 1b",
	"tileloadd tmm1, [rbx+r11*1+64]":  "c4 a2 7b 4b 4c 1b 40",
	"tileloadd tmm2, [r12+r11*1]":     "c4 82 7b 4b 14 1c",
	"tileloadd tmm3, [r12+r11*1+64]":  "c4 82 7b 4b 5c 1c 40",
	"tileloadd tmm4, [rsi+r8*1]":      "c4 a2 7b 4b 24 06",
	"tileloadd tmm5, [rdi+r8*1]":      "c4 a2 7b 4b 2c 07",
	"tileloadd tmm6, [rdx+r9*1]":      "c4 a2 7b 4b 34 0a",
	"tileloadd tmm7, [rdx+r9*1+64]":   "c4 a2 7b 4b 7c 0a 40",
	"tilerelease":                     "c4 e2 78 49 c0",
	"tilestored [r12+r11*1+64], tmm3": "c4 82 7a 4b 5c 1c 40",
	"tilestored [r12+r11*1], tmm2":    "c4 82 7a 4b 14 1c",
	"tilestored [rbx+r11*1+64], tmm1": "c4 a2 7a 4b 4c 1b 40",
	"tilestored [rbx+r11*1], tmm0":    "c4 a2 7a 4b 04 1b",
	"tilezero tmm0":                   "c4 e2 7b 49 c0",
	"tilezero tmm1":                   "c4 e2 7b 49 c8",
	"tilezero tmm2":                   "c4 e2 7b 49 d0",
	"tilezero tmm3":                   "c4 e2 7b 49 d8",
}

func TestTileCodeIsGNUs(t *testing.T) {
	lines, _, _ := readTiles(t)
	seen := map[string]bool{}
	for _, l := range lines {
		if l.op != "bytes" {
			continue
		}
		seen[l.text] = true
		if got := fmt.Sprintf("% x", l.code); got != gnuCode[l.text] {
			t.Errorf("%s is %s, by GNU as %q", l.text, got, gnuCode[l.text])
		}
	}
	for text := range gnuCode {
		if !seen[text] {
			t.Errorf("%s is not in %s", text, amxFile)
		}
	}
}

// TestTileCodeComputes carries the text out and compares the result with the definition.
func TestTileCodeComputes(t *testing.T) {
	lines, labels, table := readTiles(t)
	if want := "01" + strings.Repeat("00", 15) + strings.Repeat("4000", 8) + strings.Repeat("00", 16) + strings.Repeat("10", 8) + strings.Repeat("00", 8); hex.EncodeToString(table) != want {
		t.Fatalf("the shapes of tiles are %x", table)
	}
	checkTiles(t, func(tiles, k int, a []uint32, ars, astep int, b []uint32, bs int, c []float32, ldc, flags int) {
		m := &tileMachine{t: t, memory: [4][]uint32{1: a, 2: b, 3: unsafe.Slice((*uint32)(unsafe.Pointer(&c[0])), len(c))},
			frame: map[string]*uint64{}}
		for name, v := range map[string]int{"tiles": tiles, "k": k, "a": 1 << 40, "ars": ars, "astep": astep,
			"b": 2 << 40, "bs": bs, "c": 3 << 40, "ldc": ldc, "flags": flags} {
			word := uint64(v)
			m.frame[name] = &word
		}
		m.run(lines, labels)
	}, tileShapes)
}

// tileMachine is as much of a processor as tileamx needs. Memory is three slices, each at its number shifted by 40,
// and the frame.
type tileMachine struct {
	t          *testing.T
	memory     [4][]uint32
	frame      map[string]*uint64
	regs       [16]uint64
	zero       bool // the flag
	configured bool
	tile       [8][16][16]uint32
}

var goRegisters = []string{"AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"}

// place is where an operand is kept.
func (m *tileMachine) place(arg string) *uint64 {
	for i, name := range goRegisters {
		if arg == name {
			return &m.regs[i]
		}
	}
	name, _, _ := strings.Cut(arg, "+")
	if m.frame[name] == nil || !strings.HasSuffix(arg, "(FP)") {
		m.t.Fatalf("operand %s is not known", arg)
	}
	return m.frame[name]
}

func (m *tileMachine) get(arg string) uint64 {
	if strings.HasPrefix(arg, "$") {
		return uint64(number(m.t, arg))
	}
	return *m.place(arg)
}

func (m *tileMachine) run(lines []asmLine, labels map[string]int) {
	for at, steps := 0, 0; ; steps++ {
		if steps > 1e6 || at >= len(lines) {
			m.t.Fatal("the kernel does not return")
		}
		l := &lines[at]
		at++
		jump, last := false, l.args
		if len(last) > 1 {
			last = last[len(last)-1:]
		}
		result := func(v uint64) { *m.place(last[0]), m.zero = v, v == 0 }
		switch l.op {
		case "bytes":
			m.tileOp(l)
		case "LEAQ": // of the shapes, the one table
			*m.place(last[0]) = 0
		case "MOVQ":
			*m.place(last[0]) = m.get(l.args[0])
		case "ADDQ":
			result(m.get(last[0]) + m.get(l.args[0]))
		case "SUBQ":
			result(m.get(last[0]) - m.get(l.args[0]))
		case "SHLQ":
			result(m.get(last[0]) << m.get(l.args[0]))
		case "DECQ":
			result(m.get(last[0]) - 1)
		case "TESTQ":
			m.zero = m.get(l.args[0])&m.get(last[0]) == 0
		case "JMP":
			jump = true
		case "JZ":
			jump = m.zero
		case "JNZ":
			jump = !m.zero
		case "RET":
			if m.configured {
				m.t.Fatal("the tiles are not released")
			}
			return
		default:
			m.t.Fatalf("%s is not known", l.op)
		}
		if jump {
			to, ok := labels[last[0]]
			if !ok {
				m.t.Fatalf("no label %s", last[0])
			}
			at = to
		}
	}
}

// tileOp carries out an instruction by its bytes: C4, then the upper bits of its registers inverted and map 2, then
// W, VEX.vvvv inverted, L and the prefix, then opcode, ModRM and what it asks for.
func (m *tileMachine) tileOp(l *asmLine) {
	c := l.code
	if len(c) < 5 || c[0] != 0xc4 || c[1]&0x9f != 0x82 || c[2]&0x84 != 0 {
		m.t.Fatalf("%s: % x is no such instruction", l.text, c)
	}
	prefix, opcode, mod, t, low := c[2]&3, c[3], c[4]>>6, int(c[4]>>3&7), int(c[4]&7)
	v, upperIndex, upperBase := int(^c[2]>>3&15), int(^c[1]>>6&1)<<3, int(^c[1]>>5&1)<<3
	switch key := [3]byte{prefix, opcode, mod}; {
	case key == [3]byte{0, 0x49, 0} && t == 0 && low != 4 && low != 5 && m.regs[upperBase|low] == 0:
		m.configured = true
	case !m.configured:
		m.t.Fatalf("%s: no tiles", l.text)
	case key == [3]byte{0, 0x49, 3} && c[4] == 0xc0:
		m.configured = false
	case key == [3]byte{3, 0x49, 3} && low == 0:
		m.tile[t] = [16][16]uint32{}
	case key == [3]byte{2, 0x5c, 3}:
		if t == low || t == v || low == v || v > 7 {
			m.t.Fatalf("%s: not three tiles", l.text)
		}
		m.multiply(&m.tile[t], &m.tile[low], &m.tile[v])
	case (prefix == 2 || prefix == 3) && opcode == 0x4b && mod < 2 && low == 4 && v == 0 && len(c) == 6+int(mod):
		base, index := m.regs[upperBase|int(c[5]&7)], m.regs[upperIndex|int(c[5]>>3&7)]
		if c[5]>>6 != 0 || upperIndex|int(c[5]>>3&7) == 4 || (mod == 0 && c[5]&7 == 5) {
			m.t.Fatalf("%s: % x is another address", l.text, c)
		}
		if mod == 1 {
			base += uint64(int8(c[6]))
		}
		for i := range m.tile[t] {
			row := m.row(l.text, base+uint64(i)*index)
			if prefix == 3 {
				copy(m.tile[t][i][:], row)
			} else {
				copy(row, m.tile[t][i][:])
			}
		}
	default:
		m.t.Fatalf("%s: % x is not known", l.text, c)
	}
}

// row is the 64 bytes at an address; they must be all of one slice.
func (m *tileMachine) row(text string, address uint64) []uint32 {
	from, at := address>>40, address&(1<<40-1)
	if from < 1 || from > 3 || at%4 != 0 || int(at/4)+16 > len(m.memory[from]) {
		m.t.Fatalf("%s: %#x is outside of A, B and C", text, address)
	}
	return m.memory[from][at/4 : at/4+16]
}

func (m *tileMachine) multiply(sum, a, b *[16][16]uint32) {
	for j := range 16 {
		var column [tilePairs]uint32
		for l := range column {
			column[l] = b[l][j]
		}
		for i := range 16 {
			sum[i][j] = math.Float32bits(dotOfPairs(math.Float32frombits(sum[i][j]), &a[i], &column))
		}
	}
}
