/*
 * The dual-write protocol, small enough that spin can look at every history. `[1.2]` is rule 2 of section 1 of the protocol.
 *
 * Every `d_step` below is one atomic event: one database transaction of the journal store, one commit inside an ERP, one
 * arrival or loss on a wire. Nothing else is atomic: a pause, a crash or any other event fits between two of them.
 *
 * Compile with -DCHECK_ALL (or -DCHECK_J0, -DCHECK_I1 ...), -DMUTANT_X for one rule left out, -DREACH_X to prove that the
 * search really meets an event, and the bounds MAX_*. `run.py` knows the combinations; README.md explains them.
 *
 * Order of the file: bounds, rows, invariants, guards, transactions, then the processes: Gateway (accept, lease, feed),
 * Relay (one instance's sender to one ERP: send, settle, outcome), Erp, Flip, Faults, End.
 */

/* ------------------------------------------------------------------------------------------------------ bounds */
#ifndef MAX_CRASH
#define MAX_CRASH 1      /* an instance loses its memory and its sockets; it restarts */
#endif
#ifndef MAX_TIMEOUT
#define MAX_TIMEOUT 1    /* an answer is not awaited any longer: the request may still commit, or never arrive */
#endif
#ifndef MAX_PAUSE
#define MAX_PAUSE 0      /* a running instance loses its lease: SIGSTOP, a long collection, a cut to the database */
#endif
#ifndef MAX_RETRY
#define MAX_RETRY 0      /* a client sends the same Idempotency-Key again, to any instance */
#endif
#ifndef MAX_GATE
#define MAX_GATE 0       /* what stands before an ERP refuses a key that the ERP carried out already */
#endif
#ifndef MAX_REFUSAL
#define MAX_REFUSAL 0    /* an ERP refuses one (operation, side) for good */
#endif
#ifndef MAX_WINDOW
#define MAX_WINDOW 0     /* an ERP forgets the idempotency key of one leg */
#endif
#ifndef STEPS
#define STEPS 1          /* steps of a leg of CREATE [1.4]: 2 is "call, then commit" or "create, then wait" */
#endif

#ifdef CHECK_ALL
#define CHECK_J0
#define CHECK_I1
#define CHECK_I2
#define CHECK_I3
#define CHECK_I4
#define CHECK_I5
#define CHECK_L1
#define CHECK_C1
#endif

/* ------------------------------------------------------------------------------------------------- settle class */
#define KEY 1
#define REFERENCE 2
#define CONDITIONAL 3    /* of CHANGE; its CREATE settles by key */
#define NONE 4
#ifndef CLASS
#define CLASS KEY
#endif
#if CLASS == CONDITIONAL
#define CLASS_OF(op) ((op) == CHANGE -> CONDITIONAL : KEY)
#else
#define CLASS_OF(op) CLASS
#endif

/* -------------------------------------------------------------------------------------------------- words and rows */
#define LEGACY 0
#define CLOUD 1
#define CREATE 0
#define CHANGE 1         /* same key; with -DPARENT_CHILD a child document in a lane of its own */
#define EDIT 2           /* only with -DFEED: a person's edit on an ERP's screen; becomes an intent of origin erp */
#define NOBODY 7

#ifdef FEED
#define OPS 3
#else
#define OPS 2
#endif
#ifdef PARENT_CHILD
#define LANES 2
#define LANE(op) (op)
#else
#define LANES 1
#define LANE(op) 0
#endif

mtype = { no_leg, planned, sending, in_doubt, done, refused, voided, parked };            /* a leg */
mtype = { free, checked, at_kernel, flying, said_ok, said_refused, said_412 };            /* a sender's socket */
mtype = { idle, waiting, acked, told_no, lost };                                          /* a client's operation */
mtype = { open, fenced, drawn, committed, finished, aborted };                            /* the flip */

/* The journal store: it outlives every instance. */
bool journalled[OPS];                   /* the intent row */
byte epoch_of[OPS];                     /* its epoch; epoch 0 is decided by LEGACY, epoch 1 by CLOUD */
mtype leg[OPS * 2] = no_leg;
byte step[OPS * 2];                     /* the step the leg is at [1.4] */
bool case_open[OPS];
byte lane_owner[LANES];
byte fence[LANES];                      /* raised by every takeover of the lane */
bool leased[2] = true;                  /* by the database's clock */
byte cell_epoch;                        /* the cell row: epoch, and whether writes are fenced for a flip */
bool cell_frozen;
mtype flip = open;
bool knows_frozen[2];                   /* the instance's acknowledgement of the fence */
bool below_watermark[OPS];
#if CLASS == CONDITIONAL
byte etag[2];                           /* read before sending, stored with CHANGE's leg [1.6] */
#endif

/* What an instance has in memory and a crash takes away. */
bool up[2] = true;
byte accepting[2] = NOBODY;             /* a request between "route read" and "journal transaction" */
byte route[2];                          /* the epoch read from the cached routing table: only a hint */
mtype socket[4] = free;                 /* one sender per (instance, side): [g * 2 + side] */
byte sent_op[4];
byte sent_step[4];
byte sent_fence[4];

/* The foreign side: truth logs of the ERPs, and requests nobody waits for any more that may still commit. */
byte effects[OPS * 2 * STEPS];
byte late[OPS * 2 * STEPS];
bool window_over[OPS * 2];
bool will_refuse[OPS * 2];

/* Clients. */
mtype client[2] = idle;
byte at[2] = NOBODY;                    /* the instance that holds the client's connection */
#ifdef CHECK_C1
byte told_epoch[2] = NOBODY;
#endif

byte crashes = MAX_CRASH;
byte timeouts = MAX_TIMEOUT;
byte pauses = MAX_PAUSE;
byte retries = MAX_RETRY;
byte refusals = MAX_REFUSAL;
#if MAX_GATE > 0
byte gates = MAX_GATE; bool gated[OPS * 2]; bool sent_again[4];
#define GATED(op, n) (gated[(op) * 2 + side] && effects[AT(op, side, n)] > 0)
#else
#define GATED(op, n) false
#endif
byte windows = MAX_WINDOW;

#ifdef FEED
bool edit_made; byte edit_side; bool edit_by_interface_user; bool edit_seen;
byte derived[2];                        /* CHANGE derives a record of its own in each ERP [1.10] */
bool derived_seen[2];
#endif

/* History flags of the reachability runs; not there otherwise, so they cost no states. */
#ifdef REACH
bool saw_same_key; bool saw_found; bool saw_absent; bool saw_412_equal; bool saw_case_of_doubt; bool saw_window_case;
bool saw_stale_stopped; bool saw_fenced_answer; bool saw_late_commit; bool saw_replay_after_flip;
#define SAW(flag) flag = true
#else
#define SAW(flag) skip
#endif

/* --------------------------------------------------------------------------------------------------- invariants */
#ifdef CHECK_J0
#define J0(x) assert(x)
#else
#define J0(x) skip
#endif
#ifdef CHECK_I2
#define I2(x) assert(x)
#else
#define I2(x) skip
#endif
#ifdef CHECK_I3
#define I3(x) assert(x)
#else
#define I3(x) skip
#endif
#ifdef CHECK_I4
#define I4(x) assert(x)
#else
#define I4(x) skip
#endif
#ifdef CHECK_C1
#define C1(x) assert(x)
#else
#define C1(x) skip
#endif
#ifdef CHECK_I5
#define I5(x) assert(x)
#else
#define I5(x) skip
#endif

/* ------------------------------------------------------------------------------------------------ guards */
/* `g` is the instance and `side` the ERP of the process that asks. */
#define LEG(op, side) leg[(op) * 2 + (side)]
#define STEP(op, side) step[(op) * 2 + (side)]
#define AT(op, side, n) (((op) * 2 + (side)) * STEPS + (n))
#define EFFECTS(op, side) effects[AT(op, side, LAST_STEP(op))]
#define LAST_STEP(op) ((op) == CREATE -> STEPS - 1 : 0)
#define AUTHORITATIVE(op) (epoch_of[op])
#define OTHER(side) (1 - (side))
#define MINE socket[g * 2 + side]

/* [1.3] The authoritative leg goes first. */
#define RELEASED(op, side) ((side) == AUTHORITATIVE(op) || LEG(op, AUTHORITATIVE(op)) == done)

/* [1.5] Intent n+1 (or a child) is not sent to a side before n (or its parent) is done, refused or voided there. */
#define OVER(op, side) (LEG(op, side) == done || LEG(op, side) == refused || LEG(op, side) == voided)
#ifdef MUTANT_NO_LANE
#define LANE_CLEAR(op, side) true
#else
#define LANE_CLEAR(op, side) ((op) == CREATE || OVER(CREATE, side))
#endif

/* [1.6] Only the lane's owner works its legs, and only under the fence it took the lane with. */
#ifdef MUTANT_RELAY_WITHOUT_FENCE
#define OWNS(op) true
#else
#define OWNS(op) (lane_owner[LANE(op)] == g)
#endif
#ifdef MUTANT_STALE_INSTANCE_NOT_FENCED
#define FENCE_HOLDS(op) true
#define STILL_LEASED true
#else
#define FENCE_HOLDS(op) (OWNS(op) && sent_fence[g * 2 + side] == fence[LANE(op)])
#define STILL_LEASED leased[g]
#endif

/* [1.6] key: again only inside the window, of which max_exec_s is left for the request to arrive (see window_ends). */
#ifdef MUTANT_RESEND_AFTER_WINDOW
#define WINDOW_OPEN(op, side) true
#else
#define WINDOW_OPEN(op, side) (CLASS_OF(op) != KEY || !window_over[(op) * 2 + (side)])
#endif

/* [1.6] Quiesced: max(deadline, lease end, connection closed) + max_exec_s is over. No request of the step can commit. */
#define ON_WIRE(g, op, side, n) (socket[(g) * 2 + (side)] == flying && sent_op[(g) * 2 + (side)] == (op) && sent_step[(g) * 2 + (side)] == (n))
#define QUIET(op, side, n) (late[AT(op, side, n)] == 0 && !ON_WIRE(0, op, side, n) && !ON_WIRE(1, op, side, n))
#ifdef MUTANT_LOOKUP_WITHOUT_QUIESCE
#define QUIESCED(op, side, n) true
#else
#define QUIESCED(op, side, n) QUIET(op, side, n)
#endif

/* [1.5] [2] A leg that waits behind a parked one, in its lane or for its authoritative side, is parked with it and named. */
#define HELD_0(op, side) (LEG(op, side) == planned && (side) != AUTHORITATIVE(op) && LEG(op, AUTHORITATIVE(op)) == parked)
#define BLOCKED(side) (LEG(CREATE, side) == parked || HELD_0(CREATE, side))
#define HELD_1(op, side) (LEG(op, side) == planned && (BLOCKED(side) || HELD_0(op, side) || ((side) != AUTHORITATIVE(op) && LEG(op, AUTHORITATIVE(op)) == planned && BLOCKED(AUTHORITATIVE(op)))))
#define HELD(op, side) ((op) == CREATE -> HELD_0(CREATE, side) : HELD_1(op, side))
#define LEG_ENDED(op, side) (OVER(op, side) || LEG(op, side) == parked || HELD(op, side))
#define ENDED(op) (!journalled[op] || (LEG_ENDED(op, LEGACY) && LEG_ENDED(op, CLOUD)))
#define NAMED(op) (case_open[op] || HELD(op, LEGACY) || HELD(op, CLOUD))

/* ------------------------------------------------------------------------------------------------ transactions */
inline raise_fence(lane) {              /* takeover: whatever the last owner was sending is in doubt */
    fence[lane]++;
    doubt_sending(CREATE, lane); doubt_sending(CHANGE, lane);
#ifdef FEED
    doubt_sending(EDIT, lane);
#endif
}

inline doubt_sending(op, lane) {
    if
    :: LANE(op) == lane && LEG(op, LEGACY) == sending -> LEG(op, LEGACY) = in_doubt
    :: else
    fi;
    if
    :: LANE(op) == lane && LEG(op, CLOUD) == sending -> LEG(op, CLOUD) = in_doubt
    :: else
    fi
}

inline journal(op) {                    /* [1.2] intent, legs, epoch check and lane position: one transaction */
#ifndef MUTANT_NO_JOURNAL
    journalled[op] = true;
#endif
#ifdef MUTANT_NO_EPOCH_CHECK
    epoch_of[op] = route[g];
#else
    epoch_of[op] = cell_epoch;
#endif
    LEG(op, LEGACY) = planned;
    LEG(op, CLOUD) = planned;
    I4(op == CREATE || op == EDIT || epoch_of[CREATE] <= epoch_of[op])
}

inline park(op, side) { LEG(op, side) = parked; case_open[op] = true }

inline step_done(op, side) {            /* each step's outcome is journalled on its own [1.4] */
    if
    :: STEP(op, side) < LAST_STEP(op) -> STEP(op, side)++; LEG(op, side) = planned
    :: else -> LEG(op, side) = done
    fi
}

inline write_sending(op, side) {        /* [1.4] `sending` is journalled before the socket */
#ifdef MUTANT_STEP_NOT_JOURNALLED
    if
    :: STEP(op, side) == 0 -> LEG(op, side) = sending
    :: else -> LEG(op, side) = planned
    fi;
#else
    LEG(op, side) = sending;
#endif
#ifdef FICKLE_ERP
    sent_loud[g * 2 + side] = !QUIET(op, side, STEP(op, side)); wait_for_quiet[(op) * 2 + side] = false;
#endif
    MINE = checked; sent_op[g * 2 + side] = op; sent_step[g * 2 + side] = STEP(op, side); sent_fence[g * 2 + side] = fence[LANE(op)]
}

/* -DFICKLE_ERP: an ERP may refuse a re-send and still accept an earlier copy (a period opens between the two). Then a
 * refusal is final only when the request was sent quiesced; else the step stays in doubt and is settled quiesced. */
#ifdef FICKLE_ERP
bool sent_loud[4]; bool wait_for_quiet[OPS * 2];
#define ANSWER_IS_LAST(op) (!wait_for_quiet[(op) * 2 + side] || QUIET(op, side, STEP(op, side)))
#else
#define ANSWER_IS_LAST(op) true
#endif

inline forget(g, side) {                /* one value for "nothing", so that equal situations are one state */
    socket[(g) * 2 + side] = free; sent_op[(g) * 2 + side] = 0; sent_step[(g) * 2 + side] = 0; sent_fence[(g) * 2 + side] = 0;
#ifdef FICKLE_ERP
    sent_loud[(g) * 2 + side] = false;
#endif
#if MAX_GATE > 0
    sent_again[(g) * 2 + side] = false;
#endif
    skip
}

inline hang_up(g, side) {               /* a request that nobody waits for any more may still arrive and commit */
    if
    :: socket[(g) * 2 + side] == flying -> late[AT(sent_op[(g) * 2 + side], side, sent_step[(g) * 2 + side])]++
    :: else
    fi
}

/* ------------------------------------------------------------------------------------------------- an instance */
#ifdef MUTANT_ACK_BEFORE_JOURNAL
#define MAY_ANSWER(op) (journalled[op] || accepting[g] == op)
#elif defined(MUTANT_NO_JOURNAL)
#define MAY_ANSWER(op) (LEG(op, AUTHORITATIVE(op)) == done)
#else
#define MAY_ANSWER(op) (journalled[op] && accepting[g] != op)   /* 202 at once, or the authoritative side's answer */
#endif
#ifdef MUTANT_NO_EPOCH_CHECK
#define CELL_ALLOWS true
#else
#define CELL_ALLOWS (!cell_frozen && route[g] == cell_epoch)   /* [1.2] the row the fence updates, locked to the commit */
#endif

inline receive(op) {                    /* the route is read outside of any transaction */
    accepting[g] = op; route[g] = cell_epoch; at[op] = g;
    if
#ifndef MUTANT_CLIENT_NEVER_STOPS       /* not a rule left out: it shows that the search for endless histories can find one */
    :: client[op] != idle -> retries--
#endif
    :: else
    fi;
    if
    :: client[op] == idle || client[op] == lost -> client[op] = waiting
    :: else
    fi
}

inline accept(op) {
    if
    :: journalled[op] ->                /* [1.7] resolved before steering: operation, epoch and side are kept */
        if
        :: flip == finished && epoch_of[op] == 0 -> SAW(saw_replay_after_flip)
        :: else
        fi;
#ifdef MUTANT_REPLAY_REROUTED
        if
        :: epoch_of[op] != cell_epoch -> journal(op); STEP(op, LEGACY) = 0; STEP(op, CLOUD) = 0
        :: else
        fi;
#endif
        C1(told_epoch[op] == NOBODY || told_epoch[op] == epoch_of[op])
    :: !journalled[op] && op == CHANGE && flip == finished && (LEG(CREATE, LEGACY) == parked || LEG(CREATE, CLOUD) == parked) ->
        client[op] = told_no            /* [2] 409 lane-parked: the key stays closed after a flip until its case closes */
    :: else -> journal(op)
    fi;
    accepting[g] = NOBODY; route[g] = 0
}

#define OPERATION(op) \
    :: d_step { up[g] && leased[g] && accepting[g] == NOBODY && !knows_frozen[g] \
                && (client[op] == idle || retries > 0) && accepting[1 - g] != op \
                && (op == CREATE || journalled[CREATE] || client[CREATE] == acked) -> receive(op) } \
    :: d_step { up[g] && STILL_LEASED && accepting[g] == op && CELL_ALLOWS -> accept(op) } \
    :: d_step { up[g] && at[op] == g && client[op] == waiting && MAY_ANSWER(op) -> answer(op) }

inline answer(op) {
    if
    :: journalled[op] && LEG(op, AUTHORITATIVE(op)) == refused -> client[op] = told_no
    :: else -> client[op] = acked
    fi;
#ifdef CHECK_C1
    told_epoch[op] = epoch_of[op];
#endif
    skip
}

#ifdef FEED
inline mirror_derived(to) {
#ifdef MUTANT_MIRROR_DERIVED
    I2(derived[to] == 0);
    derived[to]++
#else
    skip
#endif
}
#endif

proctype Gateway(byte g) {
end:
    do
    OPERATION(CREATE)
    OPERATION(CHANGE)
    /* The check failed: the route is read again (the client waits; 503 with Retry-After looks the same from here). */
    :: d_step { up[g] && accepting[g] != NOBODY && !cell_frozen && route[g] != cell_epoch -> route[g] = cell_epoch }
    /* [2] acknowledge the fence */
    :: d_step { up[g] && leased[g] && cell_frozen && !knows_frozen[g] -> knows_frozen[g] = true }
    /* Lease over or instance gone: another one takes the lane. */
    :: d_step { leased[g] && lane_owner[0] != g && !leased[lane_owner[0]] -> lane_owner[0] = g; raise_fence(0) }
#ifdef PARENT_CHILD
    :: d_step { leased[g] && lane_owner[1] != g && !leased[lane_owner[1]] -> lane_owner[1] = g; raise_fence(1) }
#endif
#ifdef MUTANT_RELAY_WITHOUT_FENCE
    /* The relay takes what looks abandoned and raises no fence. */
    :: d_step { leased[g] && lane_owner[0] != g && pauses > 0 -> pauses--; doubt_sending(CREATE, 0); doubt_sending(CHANGE, 0) }
#endif
    /* Back: a new lease; a lane that is still its own is taken anew, because its old sockets belong to the old lease. */
    :: d_step { !leased[g] -> up[g] = true; leased[g] = true; knows_frozen[g] = cell_frozen;
                if
                :: lane_owner[0] == g -> raise_fence(0)
                :: else
                fi;
#ifdef PARENT_CHILD
                if
                :: lane_owner[1] == g -> raise_fence(1)
                :: else
                fi
#endif
              }
#ifdef FEED
    /* [1.10] The change feed. Echo is decided by content: an edit equals no expected post-image, so it is not ours. */
    :: d_step { leased[g] && !cell_frozen && edit_made && !edit_seen ->
                edit_seen = true;
#ifdef MUTANT_ECHO_BY_USER
                if
                :: edit_by_interface_user -> skip
                :: else -> journal(EDIT); LEG(EDIT, edit_side) = done
                fi
#else
                journal(EDIT); LEG(EDIT, edit_side) = done
#endif
              }
    /* [1.10] Derived records are compared, never mirrored. (The mutant's own legs are left out: it writes at once.) */
    :: d_step { leased[g] && derived[LEGACY] > 0 && !derived_seen[LEGACY] -> derived_seen[LEGACY] = true; mirror_derived(CLOUD) }
    :: d_step { leased[g] && derived[CLOUD] > 0 && !derived_seen[CLOUD] -> derived_seen[CLOUD] = true; mirror_derived(LEGACY) }
#endif
    od
}

/* --------------------------------------------------------------------------- the relay of one instance to one ERP */
/* A relay sends one leg at a time to its ERP. */
#define FREE_HANDS (up[g] && leased[g] && MINE == free)

#define LEGS_OF(op) \
    :: d_step { FREE_HANDS && OWNS(op) && LEG(op, side) == planned && RELEASED(op, side) && LANE_CLEAR(op, side) -> \
                read_etag(op); write_sending(op, side) } \
    :: d_step { FREE_HANDS && OWNS(op) && LEG(op, side) == in_doubt && SETTLES(op) -> settle(op) }

inline read_etag(op) {
#if CLASS == CONDITIONAL
    if
    :: op == CHANGE -> etag[side] = EFFECTS(CREATE, side) + EFFECTS(CHANGE, side)
    :: else
    fi
#else
    skip
#endif
}

#if MAX_GATE > 0
#define AGAIN sent_again[g * 2 + side] = true
#else
#define AGAIN skip
#endif
#define SETTLES(op) ((CLASS_OF(op) != REFERENCE || QUIESCED(op, side, STEP(op, side))) && ANSWER_IS_LAST(op))

inline settle(op) {                     /* [1.6] by what the ERP can really do, never guessed */
    if
    :: CLASS_OF(op) == KEY && WINDOW_OPEN(op, side) -> SAW(saw_same_key); write_sending(op, side); AGAIN   /* same key again */
    :: CLASS_OF(op) == KEY && !WINDOW_OPEN(op, side) -> SAW(saw_window_case); park(op, side)
    :: CLASS_OF(op) == CONDITIONAL -> write_sending(op, side)             /* same If-Match again */
    :: CLASS_OF(op) == NONE -> SAW(saw_case_of_doubt); park(op, side)     /* a case for a person */
    :: CLASS_OF(op) == REFERENCE && effects[AT(op, side, STEP(op, side))] > 0 -> SAW(saw_found); step_done(op, side)
    :: CLASS_OF(op) == REFERENCE && effects[AT(op, side, STEP(op, side))] == 0 -> SAW(saw_absent); write_sending(op, side)
    fi
}

/* [1.6] Deadline, lease and fence again, immediately before the socket. */
#define MAY_WRITE_SOCKET (STILL_LEASED && FENCE_HOLDS(sent_op[g * 2 + side]) && WINDOW_OPEN(sent_op[g * 2 + side], side))

#if defined(FICKLE_ERP) && MAX_GATE > 0
#error "a refusal is either fickle or a gate's: REFUSED knows no mixture"
#endif
#if defined(FICKLE_ERP) && !defined(MUTANT_REFUSAL_NOT_QUIESCED)
#define REFUSED (MINE == said_refused && !sent_loud[g * 2 + side])
#elif MAX_GATE > 0 && !defined(MUTANT_REFUSED_AGAIN_BELIEVED)
#define REFUSED (MINE == said_refused && !sent_again[g * 2 + side])
#else
#define REFUSED (MINE == said_refused)
#endif

inline record_answer(op) {
    if
    :: !FENCE_HOLDS(op) -> SAW(saw_fenced_answer)     /* the new owner settles it; a late answer writes nothing */
    :: FENCE_HOLDS(op) && MINE == said_ok -> step_done(op, side)
    :: FENCE_HOLDS(op) && MINE == said_412 -> /* compare the patched fields: equal is done, else a case */
        if
        :: EFFECTS(CHANGE, side) > 0 -> SAW(saw_412_equal); step_done(op, side)
        :: else -> park(op, side)
        fi
#if defined(FICKLE_ERP) && !defined(MUTANT_REFUSAL_NOT_QUIESCED)
    :: FENCE_HOLDS(op) && MINE == said_refused && sent_loud[g * 2 + side] -> LEG(op, side) = in_doubt; wait_for_quiet[(op) * 2 + side] = true
#endif
#if MAX_GATE > 0 && !defined(MUTANT_REFUSED_AGAIN_BELIEVED)
    :: FENCE_HOLDS(op) && MINE == said_refused && sent_again[g * 2 + side] -> SAW(saw_case_of_doubt); park(op, side)
#endif
    :: FENCE_HOLDS(op) && REFUSED && side == AUTHORITATIVE(op) ->
        J0(effects[AT(op, side, STEP(op, side))] == 0);     /* nothing stands there of what its client was refused */
        LEG(op, side) = refused; LEG(op, OTHER(side)) = voided                          /* [1.3] */
    :: FENCE_HOLDS(op) && REFUSED && side != AUTHORITATIVE(op) -> park(op, side)  /* [1.11] a split is a case */
    fi;
    forget(g, side)
}

inline time_out(op) {
    timeouts--;
    hang_up(g, side);
    if
    :: FENCE_HOLDS(op) -> LEG(op, side) = in_doubt    /* [1.6] never a failure */
    :: else
    fi;
    forget(g, side)
}

proctype Relay(byte g; byte side) {
end:
    do
    LEGS_OF(CREATE)
    LEGS_OF(CHANGE)
#ifdef FEED
    LEGS_OF(EDIT)
#endif
#ifdef PAUSE_AFTER_CHECK
    /* What no check can close: a pause between the last check and the kernel. */
    :: d_step { up[g] && MINE == checked && MAY_WRITE_SOCKET -> MINE = at_kernel }
    :: d_step { up[g] && MINE == at_kernel -> MINE = flying }
#else
    :: d_step { up[g] && MINE == checked && MAY_WRITE_SOCKET -> MINE = flying }
#endif
    :: d_step { up[g] && MINE == checked && !MAY_WRITE_SOCKET ->
                SAW(saw_stale_stopped);
                if
                :: FENCE_HOLDS(sent_op[g * 2 + side]) -> LEG(sent_op[g * 2 + side], side) = in_doubt
                :: else
                fi;
                forget(g, side) }
    :: d_step { up[g] && (MINE == said_ok || MINE == said_refused || MINE == said_412) -> record_answer(sent_op[g * 2 + side]) }
    :: d_step { up[g] && timeouts > 0 && (MINE == flying || MINE == said_ok || MINE == said_refused || MINE == said_412) ->
                time_out(sent_op[g * 2 + side]) }
    od
}

/* -------------------------------------------------------------------------------------------------------- an ERP */
byte said;                              /* scratch inside one d_step; always 0 between events */
#define OK 1
#define NO 2
#define FAILED_MATCH 3
#ifdef MUTANT_NO_ERP_KEY
#define KNOWS_KEY(op, n) false
#else
#define KNOWS_KEY(op, n) (CLASS_OF(op) == KEY && effects[AT(op, side, n)] > 0 && !window_over[(op) * 2 + side])
#endif
#if CLASS == CONDITIONAL
#define MATCHES(op) ((op) != CHANGE || etag[side] == EFFECTS(CREATE, side) + EFFECTS(CHANGE, side))
#else
#define MATCHES(op) true
#endif
/* A change of a document that was refused here will never find it. */
#define REFUSES(op) ((will_refuse[(op) * 2 + side] && ASKED_NOW) || ((op) != CREATE && (LEG(CREATE, side) == refused || LEG(CREATE, side) == voided)))

#ifdef FICKLE_ERP
#define ASKED_NOW (said == NO)          /* an awaited request; ANSWERS sets it */
#else
#define ASKED_NOW true
#endif

inline serve(op, n) {                   /* the ERP's own transaction */
    if
    :: GATED(op, n) -> said = NO
    :: !GATED(op, n) && KNOWS_KEY(op, n) -> said = OK
    :: !GATED(op, n) && !KNOWS_KEY(op, n) && REFUSES(op) -> said = NO
    :: !GATED(op, n) && !KNOWS_KEY(op, n) && !REFUSES(op) && !MATCHES(op) -> said = FAILED_MATCH
    :: else -> said = OK;
        J0(journalled[op]);
        I2(effects[AT(op, side, n)] == 0);
        I3(op == CREATE || EFFECTS(CREATE, side) > 0);
        I4(side != AUTHORITATIVE(op) || case_open[op] || effects[AT(op, side, n)] > 0 || epoch_of[op] == cell_epoch);
        I4(side == AUTHORITATIVE(op) || op == EDIT || case_open[op] || EFFECTS(op, OTHER(side)) > 0);
        effects[AT(op, side, n)]++;
#ifdef FEED
        if
        :: op == CHANGE -> I2(derived[side] == 0); derived[side]++
        :: else
        fi
#endif
    fi
}

#define ANSWERS(i) \
    :: d_step { socket[(i) * 2 + side] == flying -> said = NO; serve(sent_op[(i) * 2 + side], sent_step[(i) * 2 + side]); \
                if \
                :: said == OK -> socket[(i) * 2 + side] = said_ok \
                :: said == NO -> socket[(i) * 2 + side] = said_refused \
                :: said == FAILED_MATCH -> socket[(i) * 2 + side] = said_412 \
                fi; \
                said = 0 }

#define LATE(op, n) \
    :: d_step { late[AT(op, side, n)] > 0 -> late[AT(op, side, n)]--; SAW(saw_late_commit); serve(op, n); said = 0 } \
    :: d_step { late[AT(op, side, n)] > 0 -> late[AT(op, side, n)]-- }        /* it never arrived */

proctype Erp(byte side) {
end:
    do
    ANSWERS(0)
    ANSWERS(1)
    LATE(CREATE, 0)
    LATE(CHANGE, 0)
#if STEPS == 2
    LATE(CREATE, 1)
#endif
#ifdef FEED
    LATE(EDIT, 0)
#endif
    od
}

/* ------------------------------------------------------------------------------------------------------ the flip */
inline unfreeze() { cell_frozen = false; knows_frozen[0] = false; knows_frozen[1] = false }
inline draw_watermark() {
    below_watermark[CREATE] = journalled[CREATE]; below_watermark[CHANGE] = journalled[CHANGE];
#ifdef FEED
    below_watermark[EDIT] = journalled[EDIT];
#endif
    skip
}
inline wipe_watermark() {
    below_watermark[CREATE] = false; below_watermark[CHANGE] = false;
#ifdef FEED
    below_watermark[EDIT] = false;
#endif
    skip
}

#ifdef FEED
#define DRAINED_EDIT (!below_watermark[EDIT] || ENDED(EDIT))
#else
#define DRAINED_EDIT true
#endif
#ifdef MUTANT_NO_DRAIN
#define DRAINED true
#else
#define DRAINED ((!below_watermark[CREATE] || ENDED(CREATE)) && (!below_watermark[CHANGE] || ENDED(CHANGE)) && DRAINED_EDIT)
#endif
#define ACKNOWLEDGED ((knows_frozen[0] || !leased[0]) && (knows_frozen[1] || !leased[1]))

/* I5: what a client was told is kept can be read on the new side at the commit, or is named. */
#define READABLE(op) (client[op] != acked || EFFECTS(op, CLOUD) > 0 || NAMED(op) || (journalled[op] && LEG(op, AUTHORITATIVE(op)) == refused))

proctype Flip() {
end:
    do
#ifdef MUTANT_WATERMARK_BEFORE_FENCE
    :: d_step { flip == open && !cell_frozen && !below_watermark[CREATE] -> draw_watermark() }
    :: d_step { flip == open -> flip = fenced; cell_frozen = true }
    :: d_step { flip == fenced && ACKNOWLEDGED -> flip = drawn }
#else
    :: d_step { flip == open -> flip = fenced; cell_frozen = true }
    :: d_step { flip == fenced && ACKNOWLEDGED -> flip = drawn; draw_watermark() }
#endif
    /* The one transaction: epoch, phase, audit row, reverse replication. */
    :: d_step { flip == drawn && DRAINED -> I5(READABLE(CREATE) && READABLE(CHANGE)); flip = committed; cell_epoch = 1; wipe_watermark() }
    /* Before it any error, at any time, restores the old phase. */
    :: d_step { flip == fenced || flip == drawn -> flip = aborted; unfreeze(); wipe_watermark() }
    /* After it nothing but an idempotent redo. */
    :: d_step { flip == committed -> flip = finished; unfreeze() }
#ifdef MUTANT_CANCEL_AFTER_COMMIT
    :: d_step { flip == finished -> flip = aborted; cell_epoch = 0 }
#endif
    od
}

/* -------------------------------------------------------------------------------------------------------- faults */
inline lose_client(op, g) {
    if
    :: client[op] == waiting && at[op] == g -> client[op] = lost
    :: else
    fi
}

#ifdef MUTANT_NO_JOURNAL
inline lose_memory(op) {                /* the legs were only in memory */
    if
    :: LEG(op, LEGACY) != done || LEG(op, CLOUD) != done -> LEG(op, LEGACY) = no_leg; LEG(op, CLOUD) = no_leg
    :: else
    fi
}
#endif

#define CRASHES(g) \
    :: d_step { crashes > 0 && up[g] -> crashes--; up[g] = false; leased[g] = false; \
                hang_up(g, LEGACY); forget(g, LEGACY); hang_up(g, CLOUD); forget(g, CLOUD); \
                lose_client(CREATE, g); lose_client(CHANGE, g); accepting[g] = NOBODY; route[g] = 0; LOSE_MEMORY }
#ifdef MUTANT_NO_JOURNAL
#define LOSE_MEMORY lose_memory(CREATE); lose_memory(CHANGE)
#else
#define LOSE_MEMORY skip
#endif

#define PAUSES(g) \
    :: d_step { pauses > 0 && leased[g] -> pauses--; leased[g] = false }

/* The window ends max_exec_s after the last moment at which a request may be sent again: none is on its way. */
#ifdef MUTANT_WINDOW_WITHOUT_MARGIN
#define NONE_ON_ITS_WAY(op, side) true
#else
#define NONE_ON_ITS_WAY(op, side) QUIET(op, side, 0)
#endif
#define WINDOW_ENDS(op, side) \
    :: d_step { windows > 0 && (LEG(op, side) == sending || LEG(op, side) == in_doubt) && EFFECTS(op, side) > 0 && NONE_ON_ITS_WAY(op, side) -> \
                windows--; window_over[(op) * 2 + side] = true }

/* Without -DFICKLE_ERP an ERP's verdict does not change between two copies of a request. */
#ifdef FICKLE_ERP
#define SAME_VERDICT(op, side) true
#else
#define SAME_VERDICT(op, side) (late[AT(op, side, 0)] == 0)
#endif
#define REFUSAL(op, side) \
    :: d_step { refusals > 0 && LEG(op, side) == sending && effects[AT(op, side, 0)] == 0 && SAME_VERDICT(op, side) -> refusals--; will_refuse[(op) * 2 + side] = true }

#define GATE(op, side) \
    :: d_step { gates > 0 && (LEG(op, side) == sending || LEG(op, side) == in_doubt) && effects[AT(op, side, 0)] > 0 -> \
                gates--; gated[(op) * 2 + side] = true }

proctype Faults() {
end:
    do
#if MAX_CRASH > 0
    CRASHES(0)
    CRASHES(1)
#endif
#if MAX_PAUSE > 0
    PAUSES(0)
    PAUSES(1)
#endif
#if MAX_WINDOW > 0
    WINDOW_ENDS(CREATE, LEGACY)
    WINDOW_ENDS(CREATE, CLOUD)
    WINDOW_ENDS(CHANGE, LEGACY)
    WINDOW_ENDS(CHANGE, CLOUD)
#endif
#if MAX_GATE > 0
    GATE(CREATE, LEGACY)
    GATE(CREATE, CLOUD)
    GATE(CHANGE, LEGACY)
    GATE(CHANGE, CLOUD)
#endif
#if MAX_REFUSAL > 0
    REFUSAL(CREATE, LEGACY)
    REFUSAL(CREATE, CLOUD)
    REFUSAL(CHANGE, LEGACY)
    REFUSAL(CHANGE, CLOUD)
#endif
#ifdef FEED
    :: d_step { !edit_made && EFFECTS(CREATE, LEGACY) > 0 -> edit_made = true; edit_side = LEGACY; effects[AT(EDIT, LEGACY, 0)] = 1 }
    :: d_step { !edit_made && EFFECTS(CREATE, LEGACY) > 0 -> edit_made = true; edit_side = LEGACY; edit_by_interface_user = true; effects[AT(EDIT, LEGACY, 0)] = 1 }
    :: d_step { !edit_made && EFFECTS(CREATE, CLOUD) > 0 -> edit_made = true; edit_side = CLOUD; effects[AT(EDIT, CLOUD, 0)] = 1 }
    :: d_step { !edit_made && EFFECTS(CREATE, CLOUD) > 0 -> edit_made = true; edit_side = CLOUD; edit_by_interface_user = true; effects[AT(EDIT, CLOUD, 0)] = 1 }
#endif
    :: false
    od
}

/* --------------------------------------------------------------------------------- when nothing can happen any more */
#define BOTH_SIDES(op) (EFFECTS(op, LEGACY) > 0 && EFFECTS(op, CLOUD) > 0)
#define KEPT(op) (BOTH_SIDES(op) || NAMED(op) || (journalled[op] && LEG(op, AUTHORITATIVE(op)) == refused))
#define AGREE(op) (EFFECTS(op, LEGACY) == EFFECTS(op, CLOUD) || NAMED(op))
#define CLIENT_SERVED(op) (client[op] != waiting)

proctype End() {
    timeout ->
#ifdef CHECK_I1
    assert(client[CREATE] != acked || KEPT(CREATE));
    assert(client[CHANGE] != acked || KEPT(CHANGE));
#endif
#ifdef CHECK_I3
    assert(AGREE(CREATE) && AGREE(CHANGE));
#ifdef FEED
    assert(AGREE(EDIT));
#endif
#endif
#ifdef CHECK_L1
    assert(ENDED(CREATE) && ENDED(CHANGE));
#ifdef FEED
    assert(ENDED(EDIT));
#endif
    assert(CLIENT_SERVED(CREATE) && CLIENT_SERVED(CHANGE));
    assert(flip == finished || flip == aborted);
#endif
#ifdef REACH
    assert(!(REACH));
#endif
    skip
}

init {
    atomic {
        run Gateway(0); run Gateway(1);
        run Relay(0, LEGACY); run Relay(0, CLOUD); run Relay(1, LEGACY); run Relay(1, CLOUD);
        run Erp(LEGACY); run Erp(CLOUD); run Flip(); run Faults(); run End()
    }
}
