package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
)

func init() {
	add("mqtt", "sensor", 26, mqttSensor)
	add("mqtt", "subscriber", 20, mqttSubscriber)
	add("mqtt", "idle", 14, mqttIdle)
	add("mqtt", "denied", 8, mqttDenied)
	add("mqtt", "dropped", 8, mqttDropped)
}

var quietLog = slog.New(slog.NewTextHandler(io.Discard, nil))

// serveMQTT starts a broker. With a password only its knowers come in.
func (w *World) serveMQTT(password string) error {
	w.SetName(pick(w.Rand, []string{"mqtt", "broker", "iot"}))
	l, err := w.Serve(1883, "mqtt")
	if err != nil {
		return err
	}
	broker := mqtt.New(&mqtt.Options{Logger: quietLog})
	if password == "" {
		err = broker.AddHook(new(auth.AllowHook), nil)
	} else {
		err = broker.AddHook(new(auth.Hook), &auth.Options{Ledger: &auth.Ledger{
			Auth: auth.AuthRules{{Username: auth.RString(w.User.Login), Password: auth.RString(password), Allow: true}}}})
	}
	if err != nil {
		return err
	}
	if err := broker.AddListener(listeners.NewNet("lab", l)); err != nil {
		return err
	}
	go broker.Serve()
	w.Defer(func() { broker.Close() })
	time.Sleep(time.Millisecond)
	return nil
}

func (w *World) mqttOptions(password string) *paho.ClientOptions {
	o := paho.NewClientOptions().AddBroker("tcp://" + w.Addr(1883)).SetAutoReconnect(false).
		SetClientID(pick(w.Rand, []string{"sensor-", "esp32_", "ha-", "mqttjs_", "node"}) + token(w.Rand, w.Between(4, 10))).
		SetKeepAlive(time.Duration(pick(w.Rand, []int{10, 15, 30, 60, 60, 120})) * time.Second).
		SetCleanSession(w.Chance(.7)).SetProtocolVersion(uint(pick(w.Rand, []int{3, 4, 4, 4}))).
		SetCustomOpenConnectionFn(func(u *url.URL, _ paho.ClientOptions) (net.Conn, error) {
			return w.Client.Dial("tcp", u.Host)
		})
	if password != "" {
		o.SetUsername(w.User.Login).SetPassword(password)
	}
	if w.Chance(.4) {
		o.SetWill("status/"+o.ClientID, "offline", byte(w.IntN(2)), w.Chance(.5))
	}
	return o
}

// wait is Token.Wait with the error as an error.
func wait(t paho.Token) error {
	if !t.WaitTimeout(5 * time.Minute) {
		return fmt.Errorf("no answer from the broker")
	}
	return t.Error()
}

func (w *World) mqttConnect(password string) (paho.Client, error) {
	c := paho.NewClient(w.mqttOptions(password))
	return c, wait(c.Connect())
}

func (w *World) topic() string {
	return fmt.Sprintf("%s/%s/%s", pick(w.Rand, []string{"home", "plant", "farm", "building", "fleet"}), pick(w.Rand, parts),
		pick(w.Rand, []string{"temperature", "humidity", "power", "state", "co2", "battery", "position"}))
}

func (w *World) reading() string {
	switch w.IntN(3) {
	case 0:
		return fmt.Sprintf("%.1f", 40*w.Float64())
	case 1:
		return fmt.Sprintf(`{"value":%.2f,"unit":"%s","ts":%d}`, 100*w.Float64(), pick(w.Rand, []string{"C", "%", "W", "ppm", "V"}), time.Now().Unix())
	}
	return pick(w.Rand, []string{"ON", "OFF", "open", "closed", "idle"})
}

// mqttSensor publishes readings at intervals, under one quality of service.
func mqttSensor(w *World) error {
	password := ""
	if w.Chance(.4) {
		password = token(w.Rand, 10)
	}
	if err := w.serveMQTT(password); err != nil {
		return err
	}
	for range w.Between(1, 2) {
		c, err := w.mqttConnect(password)
		if err != nil {
			return err
		}
		topic, qos, retain := w.topic(), byte(w.IntN(3)), w.Chance(.3)
		pause := logUniform(w.Rand, .1, 60)
		for range w.Between(1, 14) {
			if err := wait(c.Publish(topic, qos, retain, w.reading())); err != nil {
				return err
			}
			w.Sleep(pause)
		}
		c.Disconnect(100)
		w.Sleep(2)
	}
	return nil
}

// mqttSubscriber listens while another connection publishes.
func mqttSubscriber(w *World) error {
	if err := w.serveMQTT(""); err != nil {
		return err
	}
	sub, err := w.mqttConnect("")
	if err != nil {
		return err
	}
	topics := map[string]byte{}
	for range w.Between(1, 3) {
		topics[w.topic()] = byte(w.IntN(3))
	}
	var names []string
	for t, qos := range topics {
		filter := t
		names = append(names, t)
		if len(names) == 1 && w.Chance(.3) {
			filter = "#"
		}
		if err := wait(sub.Subscribe(filter, qos, func(paho.Client, paho.Message) {})); err != nil {
			return err
		}
	}
	pub, err := w.mqttConnect("")
	if err != nil {
		return err
	}
	for range w.Between(2, 12) {
		if err := wait(pub.Publish(pick(w.Rand, names), byte(w.IntN(3)), false, w.reading())); err != nil {
			return err
		}
		w.Sleep(logUniform(w.Rand, .05, 10))
	}
	if w.Chance(.5) {
		if err := wait(sub.Unsubscribe(names...)); err != nil {
			return err
		}
	}
	pub.Disconnect(100)
	sub.Disconnect(100)
	w.Sleep(1)
	return nil
}

// mqttIdle does nothing but answer the keep-alive.
func mqttIdle(w *World) error {
	if err := w.serveMQTT(""); err != nil {
		return err
	}
	c, err := w.mqttConnect("")
	if err != nil {
		return err
	}
	if w.Chance(.6) {
		if err := wait(c.Subscribe(w.topic(), 0, nil)); err != nil {
			return err
		}
	}
	w.Sleep(logUniform(w.Rand, 30, 900))
	c.Disconnect(100)
	w.Sleep(1)
	return nil
}

func mqttDenied(w *World) error {
	if err := w.serveMQTT(token(w.Rand, 12)); err != nil {
		return err
	}
	for range w.Between(1, 2) {
		if _, err := w.mqttConnect(token(w.Rand, 8)); err == nil {
			return fmt.Errorf("a wrong password was accepted")
		}
		w.Sleep(8)
	}
	return nil
}

// mqttDropped loses its connection without a goodbye; the will is published.
func mqttDropped(w *World) error {
	if err := w.serveMQTT(""); err != nil {
		return err
	}
	watch, err := w.mqttConnect("")
	if err != nil {
		return err
	}
	if err := wait(watch.Subscribe("status/+", 1, func(paho.Client, paho.Message) {})); err != nil {
		return err
	}
	var raw net.Conn
	o := w.mqttOptions("").SetCustomOpenConnectionFn(func(u *url.URL, _ paho.ClientOptions) (c net.Conn, err error) {
		raw, err = w.Client.Dial("tcp", u.Host)
		return raw, err
	})
	o.SetWill("status/"+o.ClientID, "offline", 1, true)
	c := paho.NewClient(o)
	if err := wait(c.Connect()); err != nil {
		return err
	}
	for range w.Between(1, 4) {
		if err := wait(c.Publish("status/"+o.ClientID, 1, true, "online")); err != nil {
			return err
		}
		w.Sleep(5)
	}
	raw.Close()
	w.Sleep(3)
	watch.Disconnect(100)
	w.Sleep(1)
	return nil
}
