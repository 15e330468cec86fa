package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	wire "github.com/jeroenrinzema/psql-wire"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/tidwall/redcon"
)

// The databases: Redis and PostgreSQL.

func init() {
	add("redis", "cache", 24, redisCache)
	add("redis", "queue", 14, redisQueue)
	add("redis", "pipeline", 12, redisPipeline)
	add("redis", "pubsub", 8, redisPubSub)
	add("redis", "denied", 8, redisDenied)
	add("postgres", "query", 24, pgQuery)
	add("postgres", "report", 12, pgReport)
	add("postgres", "insert", 14, pgInsert)
	add("postgres", "error", 10, pgError)
	add("postgres", "denied", 8, pgDenied)
}

// store is the part of Redis that the scenarios use.
type store struct {
	mu       sync.Mutex
	password string
	strings  map[string]string
	lists    map[string][]string
	pubsub   redcon.PubSub
}

func (s *store) serve(c redcon.Conn, cmd redcon.Command) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := make([]string, len(cmd.Args))
	for i := range a {
		a[i] = string(cmd.Args[i])
	}
	verb := strings.ToLower(a[0])
	if s.password != "" && c.Context() == nil && verb != "auth" && verb != "hello" && verb != "quit" {
		c.WriteError("NOAUTH Authentication required.")
		return
	}
	if n := map[string]int{"get": 2, "set": 3, "del": 2, "incr": 2, "lpush": 3, "rpop": 2, "lrange": 4, "mget": 2, "auth": 2,
		"expire": 3, "exists": 2, "publish": 3, "subscribe": 2}[verb]; len(a) < n {
		c.WriteError("ERR wrong number of arguments for '" + verb + "' command")
		return
	}
	switch verb {
	case "ping":
		c.WriteString("PONG")
	case "auth":
		if a[len(a)-1] != s.password {
			c.WriteError("WRONGPASS invalid username-password pair or user is disabled.")
			return
		}
		c.SetContext(true)
		c.WriteString("OK")
	case "client", "select":
		c.WriteString("OK")
	case "quit":
		c.WriteString("OK")
		c.Close()
	case "set":
		s.strings[a[1]] = a[2]
		c.WriteString("OK")
	case "get":
		if v, ok := s.strings[a[1]]; ok {
			c.WriteBulkString(v)
		} else {
			c.WriteNull()
		}
	case "mget":
		c.WriteArray(len(a) - 1)
		for _, k := range a[1:] {
			if v, ok := s.strings[k]; ok {
				c.WriteBulkString(v)
			} else {
				c.WriteNull()
			}
		}
	case "exists":
		_, ok := s.strings[a[1]]
		c.WriteInt(map[bool]int{true: 1}[ok])
	case "del":
		n := 0
		for _, k := range a[1:] {
			if _, ok := s.strings[k]; ok {
				delete(s.strings, k)
				n++
			}
		}
		c.WriteInt(n)
	case "incr":
		n, err := strconv.Atoi("0" + s.strings[a[1]])
		if err != nil {
			c.WriteError("ERR value is not an integer or out of range")
			return
		}
		s.strings[a[1]] = strconv.Itoa(n + 1)
		c.WriteInt(n + 1)
	case "expire":
		c.WriteInt(1)
	case "lpush":
		s.lists[a[1]] = append(s.lists[a[1]], a[2:]...)
		c.WriteInt(len(s.lists[a[1]]))
	case "rpop":
		if l := s.lists[a[1]]; len(l) > 0 {
			s.lists[a[1]] = l[1:]
			c.WriteBulkString(l[0])
		} else {
			c.WriteNull()
		}
	case "lrange":
		l := s.lists[a[1]]
		c.WriteArray(len(l))
		for _, v := range l {
			c.WriteBulkString(v)
		}
	case "publish":
		c.WriteInt(s.pubsub.Publish(a[1], a[2]))
	case "subscribe":
		for _, ch := range a[1:] {
			s.pubsub.Subscribe(c, ch)
		}
	default:
		c.WriteError("ERR unknown command '" + a[0] + "', with args beginning with: ")
	}
}

func (w *World) serveRedis(password string) (*redis.Client, error) {
	w.SetName(pick(w.Rand, []string{"redis", "cache", "queue"}))
	s := &store{password: password, strings: map[string]string{}, lists: map[string][]string{}}
	l, err := w.Serve(6379, "redis")
	if err != nil {
		return nil, err
	}
	srv := redcon.NewServer("", func(c redcon.Conn, cmd redcon.Command) {
		time.Sleep(time.Duration(w.Between(20, 400)) * time.Microsecond)
		s.serve(c, cmd)
	}, nil, nil)
	go srv.Serve(l)
	w.Defer(func() { srv.Close() })
	c := redis.NewClient(&redis.Options{Addr: w.Addr(6379), Password: password, Protocol: w.Between(2, 3),
		PoolSize: w.Between(1, 2), MaxRetries: 1, DisableIdentity: w.Chance(.5), DB: w.IntN(3),
		ReadTimeout: 20 * time.Second, WriteTimeout: 20 * time.Second, DialTimeout: 30 * time.Second,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return w.Client.DialContext(ctx, network, addr)
		}})
	w.Defer(func() { c.Close() })
	return c, nil
}

// missing is no error: the key was not there.
func missing(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

func redisCache(w *World) error {
	password := ""
	if w.Chance(.3) {
		password = token(w.Rand, 16)
	}
	c, err := w.serveRedis(password)
	if err != nil {
		return err
	}
	ctx := context.Background()
	prefix := pick(w.Rand, []string{"session:", "user:", "cart:", "page:", "rate:"})
	for range w.Between(1, 18) {
		key := prefix + fmt.Sprint(w.IntN(9))
		switch w.IntN(6) {
		case 0, 1:
			err = c.Set(ctx, key, string(records(w.Rand, 1, time.Now())), time.Duration(w.Between(10, 600))*time.Second).Err()
		case 2:
			err = c.Incr(ctx, "hits:"+key).Err()
		case 3:
			err = c.Del(ctx, key).Err()
		default:
			err = c.Get(ctx, key).Err()
		}
		if missing(err) != nil {
			return err
		}
		w.Sleep(logUniform(w.Rand, .001, 4))
	}
	return nil
}

func redisQueue(w *World) error {
	c, err := w.serveRedis("")
	if err != nil {
		return err
	}
	ctx, key := context.Background(), "jobs:"+pick(w.Rand, parts)
	for range w.Between(1, 6) {
		if err := c.LPush(ctx, key, sentence(w.Rand, 6), token(w.Rand, 20)).Err(); err != nil {
			return err
		}
	}
	if err := c.LRange(ctx, key, 0, -1).Err(); err != nil {
		return err
	}
	for {
		w.Sleep(logUniform(w.Rand, .01, 2))
		if err := c.RPop(ctx, key).Err(); err != nil {
			return missing(err)
		}
	}
}

func redisPipeline(w *World) error {
	c, err := w.serveRedis("")
	if err != nil {
		return err
	}
	ctx := context.Background()
	for range w.Between(1, 3) {
		_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range int(logUniform(w.Rand, 3, 120)) {
				p.Set(ctx, fmt.Sprintf("%s:%d", pick(w.Rand, parts), i), sentence(w.Rand, w.Between(1, 8)), 0)
			}
			return nil
		})
		if err != nil {
			return err
		}
		w.Sleep(1)
	}
	return nil
}

func redisPubSub(w *World) error {
	c, err := w.serveRedis("")
	if err != nil {
		return err
	}
	ctx := context.Background()
	sub := c.Subscribe(ctx, "news."+pick(w.Rand, parts), "alerts")
	defer sub.Close()
	for range 2 {
		if _, err := sub.Receive(ctx); err != nil {
			return err
		}
	}
	for range w.Between(1, 8) {
		if err := c.Publish(ctx, "alerts", sentence(w.Rand, 5)).Err(); err != nil {
			return err
		}
		if _, err := sub.Receive(ctx); err != nil {
			return err
		}
		w.Sleep(2)
	}
	return nil
}

func redisDenied(w *World) error {
	c, err := w.serveRedis(token(w.Rand, 20))
	if err != nil {
		return err
	}
	o := c.Options()
	o.Password = ""
	if w.Chance(.5) {
		o.Password = token(w.Rand, 6)
	}
	bad := redis.NewClient(o)
	defer bad.Close()
	for range w.Between(1, 2) {
		if bad.Get(context.Background(), "config").Err() == nil {
			return errors.New("a wrong password was accepted")
		}
		w.Sleep(2)
	}
	return nil
}

// servePostgres starts a server that makes up rows for any query.
func (w *World) servePostgres(password string) (*pgx.ConnConfig, error) {
	w.SetName(pick(w.Rand, []string{"db", "pg1", "postgres"}))
	columns := wire.Columns{
		{Name: "id", Oid: pgtype.Int4OID, Width: 4}, {Name: "name", Oid: pgtype.TextOID, Width: -1},
		{Name: "amount", Oid: pgtype.Float8OID, Width: 8}, {Name: "open", Oid: pgtype.BoolOID, Width: 1},
	}[:w.Between(2, 4)]
	handler := func(_ context.Context, q wire.Query) (wire.PreparedStatements, error) {
		sql := strings.ToLower(q.Query)
		if strings.Contains(sql, "missing_") {
			return nil, errors.New(`relation "` + sql[strings.Index(sql, "missing_"):] + `" does not exist`)
		}
		options := []wire.PreparedOptionFn{wire.WithParameters(wire.ParseParameters(q.Query))}
		if strings.HasPrefix(sql, "select") {
			options = append(options, wire.WithColumns(columns))
		}
		return wire.Prepared(wire.NewStatement(func(_ context.Context, rows wire.DataWriter, _ []wire.Parameter) error {
			w.Think()
			if !strings.HasPrefix(sql, "select") {
				return rows.Complete(strings.ToUpper(strings.Fields(sql)[0]) + " 0 1")
			}
			n := w.Between(0, 8)
			if strings.Contains(sql, "order by") {
				n = int(logUniform(w.Rand, 20, 300))
			}
			for i := range n {
				row := []any{int32(i + 1), pick(w.Rand, firstNames) + " " + pick(w.Rand, lastNames), float64(w.IntN(10000)) / 100, w.Chance(.5)}
				if err := rows.Row(row[:len(columns)]); err != nil {
					return err
				}
			}
			return rows.Complete(fmt.Sprintf("SELECT %d", n))
		}, options...)), nil
	}
	options := []wire.OptionFn{wire.Logger(quietLog), wire.GlobalParameters(wire.Parameters{
		"standard_conforming_strings": "on", "DateStyle": "ISO, MDY", "TimeZone": "Etc/UTC", "integer_datetimes": "on"}),
		wire.Version(pick(w.Rand, []string{"14.11", "15.6", "16.3", "17.1"}))}
	if password != "" {
		options = append(options, wire.SessionAuthStrategy(wire.ClearTextPassword(
			func(ctx context.Context, _, _, given string) (context.Context, bool, error) {
				w.Think()
				return ctx, given == password, nil
			})))
	}
	srv, err := wire.NewServer(handler, options...)
	if err != nil {
		return nil, err
	}
	l, err := w.Serve(5432, "postgres")
	if err != nil {
		return nil, err
	}
	go srv.Serve(gathering{l})
	w.Defer(func() { srv.Close() })
	cfg, err := pgx.ParseConfig(fmt.Sprintf("postgres://%s:%s@%s:5432/%s?sslmode=disable&application_name=%s", w.User.Login, password, w.Name,
		pick(w.Rand, parts), pick(w.Rand, []string{"psql", "api", "worker", "metabase", "backup"})))
	if err != nil {
		return nil, err
	}
	if password == "" {
		cfg.Password = ""
	}
	cfg.DialFunc = w.Client.DialContext
	cfg.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	cfg.ConnectTimeout = 30 * time.Second
	if w.Chance(.5) {
		cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	}
	return cfg, nil
}

// pgSession connects, calls f some times with pauses, and leaves.
func (w *World) pgSession(times int, f func(ctx context.Context, c *pgx.Conn) error) error {
	password := ""
	if w.Chance(.5) {
		password = token(w.Rand, 10)
	}
	cfg, err := w.servePostgres(password)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Minute)
	defer cancel()
	for range w.Between(1, 2) {
		c, err := pgx.ConnectConfig(ctx, cfg)
		if err != nil {
			return err
		}
		for range w.Between(1, times) {
			if err := f(ctx, c); err != nil {
				return err
			}
			w.Sleep(logUniform(w.Rand, .005, 20))
		}
		c.Close(ctx)
		w.Sleep(3)
	}
	return nil
}

func pgAll(ctx context.Context, c *pgx.Conn, sql string, args ...any) error {
	rows, err := c.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return rows.Err()
}

func pgQuery(w *World) error {
	return w.pgSession(7, func(ctx context.Context, c *pgx.Conn) error {
		return pgAll(ctx, c, fmt.Sprintf("select id, name from %s where %s = %d limit %d", pick(w.Rand, parts), pick(w.Rand, []string{"id", "owner", "state"}), w.IntN(1000), w.Between(1, 20)))
	})
}

func pgReport(w *World) error {
	return w.pgSession(2, func(ctx context.Context, c *pgx.Conn) error {
		return pgAll(ctx, c, fmt.Sprintf("select * from %s_%s order by %s desc", pick(w.Rand, parts), pick(w.Rand, parts), pick(w.Rand, []string{"amount", "name", "id"})))
	})
}

func pgInsert(w *World) error {
	return w.pgSession(6, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, fmt.Sprintf("insert into %s (name, note) values ('%s', '%s')", pick(w.Rand, parts), pick(w.Rand, firstNames), sentence(w.Rand, w.Between(3, 40))))
		return err
	})
}

func pgError(w *World) error {
	return w.pgSession(3, func(ctx context.Context, c *pgx.Conn) error {
		if pgAll(ctx, c, "select * from missing_"+pick(w.Rand, parts)) == nil {
			return errors.New("a missing table was found")
		}
		return pgAll(ctx, c, "select 1")
	})
}

func pgDenied(w *World) error {
	cfg, err := w.servePostgres(token(w.Rand, 12))
	if err != nil {
		return err
	}
	for range w.Between(1, 2) {
		cfg.Password = token(w.Rand, 8)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		_, err := pgx.ConnectConfig(ctx, cfg)
		cancel()
		if err == nil {
			return errors.New("a wrong password was accepted")
		}
		w.Sleep(4)
	}
	return nil
}
