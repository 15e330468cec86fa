package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// pick draws one of a list.
func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }

// logUniform draws between lo and hi, each decade alike.
func logUniform(rng *rand.Rand, lo, hi float64) float64 {
	return lo * math.Exp(rng.Float64()*math.Log(hi/lo))
}

var (
	firstNames = strings.Fields(`Anna Ben Clara David Elena Frank Greta Hugo Ines Jonas Kira Liam Mara Noah Olga Paul
		Quinn Rosa Simon Tara Ugo Vera Walter Xenia Yara Zoe Amir Bela Chen Dario Emi Farid Goran Hana Ivo Jun Kofi Lena Mei Nils`)
	lastNames = strings.Fields(`Adler Brandt Castro Dietz Engel Ferrari Gruber Hansen Ito Jensen Keller Lindqvist Moreau
		Novak Okafor Petrov Quist Rossi Santos Tanaka Ueda Varga Weber Xu Yilmaz Ziegler Abebe Bakker Costa Duarte Eriksen Fontaine`)
	parts = strings.Fields(`alder amber ash beech birch bright brook cedar clear cliff cloud cobalt copper coral crest dale
		delta drift east elm ember fern field flint forest frost glen gold granite green grove harbor hazel hill iris iron ivy
		jade juniper lake lark linden lotus maple marble meadow mint mist moor moss north oak ocean olive opal orchid pearl pine
		quartz rain raven reed ridge river rock rose rowan saffron sage sand silver sky slate snow spring spruce stone storm
		sun teal thorn tide timber vale violet west willow wind winter wood`)
	suffixes = []string{"example", "test", "example.com", "example.net", "example.org", "lab.example", "corp.example", "home.arpa"}
	prose    = strings.Fields(`the of and to in a is that for it as was with be by on not he his but at are this have from
		or had an they which one you were all her she there would their we him been has when who will no more if out so up said
		what its about than into them can only other time new some could these two may first then do any like my now over such
		our man me even most made after also did many off before must well back through years where much your way down should
		because long each just state those people too mr how little good world make very year still see work own men day get
		here between both life being under three never know same last another while us might great go come since against right
		came take used himself few house use place during high without again home around small however found mrs part thought
		went say general once upon school every don does got united left number course war until always away something fact
		water though less public put think almost hand enough far took head yet government system better set told nothing night
		end called didn eyes find going look asked later point knew next program city business give group toward days young let
		room word children given order delivery invoice meeting report network traffic packet server client budget project
		release schedule customer contract shipment sensor pressure temperature voltage energy quality review training holiday`)
)

// Person is a user of the client machine.
type Person struct{ First, Last, Login string }

func drawPerson(rng *rand.Rand) Person {
	p := Person{First: pick(rng, firstNames), Last: pick(rng, lastNames)}
	switch rng.IntN(4) {
	case 0:
		p.Login = strings.ToLower(p.First)
	case 1:
		p.Login = strings.ToLower(p.First + "." + p.Last)
	case 2:
		p.Login = strings.ToLower(p.First[:1] + p.Last)
	case 3:
		p.Login = strings.ToLower(p.Last) + fmt.Sprint(rng.IntN(100))
	}
	return p
}

// drawDomain makes up a domain under the names reserved for examples.
func drawDomain(rng *rand.Rand) string {
	sep := pick(rng, []string{"", "", "", "-"})
	return pick(rng, parts) + sep + pick(rng, parts) + "." + pick(rng, suffixes)
}

// sentence makes words that follow Zipf's law, as prose does.
func sentence(rng *rand.Rand, n int) string {
	var b strings.Builder
	for i := range n {
		k := int(math.Exp(rng.Float64()*math.Log(float64(len(prose))))) - 1
		word := prose[k]
		if i == 0 {
			word = strings.ToUpper(word[:1]) + word[1:]
		} else {
			b.WriteByte(' ')
		}
		b.WriteString(word)
	}
	b.WriteByte('.')
	return b.String()
}

// stock is what is said again and again: most of what a text is made of.
var stock = func() (list []string) {
	rng := rand.New(newSource(0, "stock"))
	for range 300 {
		list = append(list, sentence(rng, 5+rng.IntN(14)))
	}
	return list
}()

// text makes about n bytes of prose in lines of at most 76 characters, four of
// five sentences from the stock.
func text(rng *rand.Rand, n int, eol string) string {
	var b strings.Builder
	line := 0
	for b.Len() < n {
		said := pick(rng, stock)
		if rng.IntN(5) == 0 {
			said = sentence(rng, 5+rng.IntN(14))
		}
		for _, word := range strings.Fields(said) {
			if line+len(word) > 75 {
				b.WriteString(eol)
				line = 0
			} else if line > 0 {
				b.WriteByte(' ')
				line++
			}
			b.WriteString(word)
			line += len(word)
		}
		if line > 40 { // many a sentence ends its line
			b.WriteString(eol)
			line = 0
		}
		if rng.IntN(6) == 0 {
			b.WriteString(eol + eol)
			line = 0
		}
	}
	b.WriteString(eol)
	return b.String()
}

// token makes n characters of an identifier.
func token(rng *rand.Rand, n int) string {
	const digits = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = digits[rng.IntN(len(digits))]
	}
	return string(b)
}
