; Runs programs: see driver.py, which fills in what begins with a dollar sign (words of the control
; block, of a job, a unit; calls that differ between machines) and says how it works.

declare i32 @$yielding()
declare void @$pause_type
declare i64 @$ticks_type
$sleeping

define internal void @pause() alwaysinline nounwind {
  call void @$pause
  ret void
}

define internal i64 @ticks() alwaysinline nounwind {
  %now = call i64 @$ticks
  ret i64 %now
}

define internal i64 @get(ptr %block, i64 %word) alwaysinline nounwind {
  %place = getelementptr i64, ptr %block, i64 %word
  %value = load atomic i64, ptr %place monotonic, align 8
  ret i64 %value
}

define internal void @set(ptr %block, i64 %word, i64 %value) alwaysinline nounwind {
  %place = getelementptr i64, ptr %block, i64 %word
  store atomic i64 %value, ptr %place monotonic, align 8
  ret void
}

; Takes the next chunk below %end, or answers -1: none is left, or the run is over.
define internal i64 @claim(ptr %counter, i64 %tag, i64 %end) alwaysinline nounwind {
entry:
  %later = add i64 %tag, $most_chunks
  %first = load atomic i64, ptr %counter monotonic, align 8
  br label %try
try:
  %old = phi i64 [%first, %entry], [%seen, %swap]
  %over = icmp uge i64 %old, %later
  br i1 %over, label %none, label %look
look:
  %untouched = icmp ult i64 %old, %tag            ; still as an earlier run has left it
  %now = select i1 %untouched, i64 %tag, i64 %old
  %chunk = sub i64 %now, %tag
  %left = icmp ult i64 %chunk, %end
  br i1 %left, label %swap, label %none
swap:
  %new = add i64 %now, 1
  %pair = cmpxchg ptr %counter, i64 %old, i64 %new acq_rel monotonic, align 8
  %seen = extractvalue { i64, i1 } %pair, 0
  %taken = extractvalue { i64, i1 } %pair, 1
  br i1 %taken, label %got, label %try
got:
  ret i64 %chunk
none:
  ret i64 -1
}

; Adds %mine finished chunks to a segment.
define internal void @report(ptr %done, i64 %tag, i64 %mine) alwaysinline nounwind {
entry:
  %nothing = icmp eq i64 %mine, 0
  br i1 %nothing, label %end, label %start
start:
  %first = load atomic i64, ptr %done monotonic, align 8
  br label %try
try:
  %old = phi i64 [%first, %start], [%seen, %try]
  %untouched = icmp ult i64 %old, %tag
  %now = select i1 %untouched, i64 %tag, i64 %old
  %new = add i64 %now, %mine
  %pair = cmpxchg ptr %done, i64 %old, i64 %new acq_rel monotonic, align 8
  %seen = extractvalue { i64, i1 } %pair, 0
  %added = extractvalue { i64, i1 } %pair, 1
  br i1 %added, label %end, label %try
end:
  ret void
}

; Runs one step, unless an earlier one has failed.
define internal void @call(ptr %step, ptr %table, ptr %work, i64 %lo,
                           i64 %hi) alwaysinline nounwind {
  %status = load ptr, ptr %table, align 8
  %failed = load atomic i64, ptr %status monotonic, align 8
  %fine = icmp eq i64 %failed, 0
  br i1 %fine, label %go, label %end
go:
  %kernel = load ptr, ptr %step, align 8
  %args_at = getelementptr ptr, ptr %step, i64 1
  %args = load ptr, ptr %args_at, align 8
  call void %kernel(ptr %table, ptr %args, ptr %work, i64 %lo, i64 %hi)
  br label %end
end:
  ret void
}

; Steps %first to %last - 1, all of them, in order.
define internal void @in_a_row(ptr %job, i64 %first, i64 %last, ptr %work) nounwind {
entry:
  %steps_word = call i64 @get(ptr %job, i64 $job_steps)
  %steps = inttoptr i64 %steps_word to ptr
  %table_word = call i64 @get(ptr %job, i64 $job_table)
  %table = inttoptr i64 %table_word to ptr
  br label %loop
loop:
  %s = phi i64 [%first, %entry], [%s1, %body]
  %more = icmp ult i64 %s, %last
  br i1 %more, label %body, label %end
body:
  %offset = mul i64 %s, $step_words
  %step = getelementptr i64, ptr %steps, i64 %offset
  %iterations = call i64 @get(ptr %step, i64 2)
  call void @call(ptr %step, ptr %table, ptr %work, i64 0, i64 %iterations)
  %s1 = add i64 %s, 1
  br label %loop
end:
  ret void
}

; A unit of one chunk. Answers how many chunks were done here: 0 or 1.
define internal i64 @single(ptr %job, ptr %unit, ptr %counter, i64 %tag, ptr %work) nounwind {
  %chunk = call i64 @claim(ptr %counter, i64 %tag, i64 1)
  %got = icmp eq i64 %chunk, 0
  br i1 %got, label %go, label %end
go:
  %first = call i64 @get(ptr %unit, i64 $unit_first)
  %count = call i64 @get(ptr %unit, i64 $unit_steps)
  %last = add i64 %first, %count
  call void @in_a_row(ptr %job, i64 %first, i64 %last, ptr %work)
  ret i64 1
end:
  ret i64 0
}

; A unit of many chunks, shared by all. Counters of part p lie %stride words after those of p - 1.
; Answers how many chunks were done here.
define internal i64 @shared(ptr %job, ptr %unit, ptr %counter, i64 %stride, i64 %tag, i64 %thread,
                            i64 %threads, ptr %work) nounwind {
entry:
  %steps_word = call i64 @get(ptr %job, i64 $job_steps)
  %steps = inttoptr i64 %steps_word to ptr
  %table_word = call i64 @get(ptr %job, i64 $job_table)
  %table = inttoptr i64 %table_word to ptr
  %first = call i64 @get(ptr %unit, i64 $unit_first)
  %iterations = call i64 @get(ptr %unit, i64 $unit_iterations)
  %grain = call i64 @get(ptr %unit, i64 $unit_grain)
  %chunks = call i64 @get(ptr %unit, i64 $unit_chunks)
  %step_offset = mul i64 %first, $step_words
  %step = getelementptr i64, ptr %steps, i64 %step_offset
  br label %parts
parts:
  %tried = phi i64 [0, %entry], [%tried1, %next_part]
  %mine = phi i64 [0, %entry], [%mine_then, %next_part]
  %more = icmp ult i64 %tried, %threads
  br i1 %more, label %part, label %end
part:
  %turned = add i64 %thread, %tried
  %beyond = icmp uge i64 %turned, %threads
  %around = sub i64 %turned, %threads
  %p = select i1 %beyond, i64 %around, i64 %turned
  %p1 = add i64 %p, 1
  %low_part = mul i64 %chunks, %p
  %high_part = mul i64 %chunks, %p1
  %low = udiv i64 %low_part, %threads
  %high = udiv i64 %high_part, %threads
  %size = sub i64 %high, %low
  %row = mul i64 %p, %stride
  %place = getelementptr i64, ptr %counter, i64 %row
  br label %take
take:
  %mine_now = phi i64 [%mine, %part], [%mine1, %run]
  %chunk = call i64 @claim(ptr %place, i64 %tag, i64 %size)
  %none = icmp slt i64 %chunk, 0
  br i1 %none, label %next_part, label %run
run:
  %c = add i64 %low, %chunk
  %lo = mul i64 %c, %grain
  %reach = add i64 %lo, %grain
  %hi = call i64 @llvm.umin.i64(i64 %reach, i64 %iterations)
  call void @call(ptr %step, ptr %table, ptr %work, i64 %lo, i64 %hi)
  %mine1 = add i64 %mine_now, 1
  br label %take
next_part:
  %mine_then = phi i64 [%mine_now, %take]
  %tried1 = add i64 %tried, 1
  br label %parts
end:
  ret i64 %mine
}
declare i64 @llvm.umin.i64(i64, i64)

; Reports what was done of a segment and waits for its %total chunks. Meanwhile a worker runs the
; single chunks among units %first to %last - 1 that the caller does not come to. Answers whether
; the run goes on.
define internal i1 @finish(ptr %control, ptr %job, ptr %units, ptr %counters, ptr %done, i64 %tag,
                           i64 %total, i64 %mine, i64 %first, i64 %last, i64 %thread,
                           ptr %work) nounwind {
entry:
  call void @report(ptr %done, i64 %tag, i64 %mine)
  %goal = add i64 %tag, %total
  %later = add i64 %tag, $most_chunks
  %worker = icmp ne i64 %thread, 0
  %spin = call i64 @get(ptr %control, i64 $spin)
  %patience = call i64 @get(ptr %control, i64 $patience)
  %so_far = load atomic i64, ptr %done acquire, align 8
  %at_once = icmp uge i64 %so_far, %goal
  br i1 %at_once, label %end, label %begin
begin:
  %began = call i64 @ticks()
  br label %wait
wait:
  %helps = phi i1 [%worker, %begin], [%helps, %yield], [%helps, %late], [false, %helped]
  %value = load atomic i64, ptr %done acquire, align 8
  %reached = icmp uge i64 %value, %goal
  br i1 %reached, label %end, label %on
on:
  call void @pause()
  %now = call i64 @ticks()
  %waited = sub i64 %now, %began
  %impatient = icmp ugt i64 %waited, %patience
  %may_help = and i1 %helps, %impatient
  br i1 %may_help, label %help, label %late
late:
  %long = icmp ugt i64 %waited, %spin
  br i1 %long, label %yield, label %wait
yield:
  %ignored = call i32 @$yielding()
  br label %wait
help:
  %u = phi i64 [%first, %on], [%u1, %next]
  %more = icmp ult i64 %u, %last
  br i1 %more, label %look, label %helped
look:
  %unit_offset = mul i64 %u, $unit_words
  %unit = getelementptr i64, ptr %units, i64 %unit_offset
  %chunks = call i64 @get(ptr %unit, i64 $unit_chunks)
  %is_single = icmp eq i64 %chunks, 1
  br i1 %is_single, label %take, label %next
take:
  %counter = getelementptr i64, ptr %counters, i64 %u
  %did = call i64 @single(ptr %job, ptr %unit, ptr %counter, i64 %tag, ptr %work)
  call void @report(ptr %done, i64 %tag, i64 %did)
  br label %next
next:
  %u1 = add i64 %u, 1
  br label %help
helped:
  br label %wait
end:
  %last_value = phi i64 [%so_far, %entry], [%value, %wait]
  %alive = icmp ult i64 %last_value, %later
  ret i1 %alive
}

; One thread's way through a program.
define internal void @participate(ptr %control, ptr %job, i64 %tag, i64 %thread, i64 %threads,
                                  ptr %counters, i64 %stride, ptr %work) nounwind {
entry:
  %units_word = call i64 @get(ptr %job, i64 $job_units)
  %units = inttoptr i64 %units_word to ptr
  %unit_count = call i64 @get(ptr %job, i64 $job_unit_count)
  %total = call i64 @get(ptr %job, i64 $job_total)
  %caller = icmp eq i64 %thread, 0
  %done_offset = mul i64 %threads, %stride        ; after the last part's counters
  %all_done = getelementptr i64, ptr %counters, i64 %done_offset
  br label %loop
loop:
  %u = phi i64 [0, %entry], [%u1, %next]
  %mine = phi i64 [0, %entry], [%mine_next, %next]
  %start = phi i64 [0, %entry], [%start_now, %next]
  %done = phi ptr [%all_done, %entry], [%done_now, %next]
  %more = icmp ult i64 %u, %unit_count
  br i1 %more, label %unit_begins, label %end
unit_begins:
  %unit_offset = mul i64 %u, $unit_words
  %unit = getelementptr i64, ptr %units, i64 %unit_offset
  %counter = getelementptr i64, ptr %counters, i64 %u
  %chunks = call i64 @get(ptr %unit, i64 $unit_chunks)
  %before = call i64 @get(ptr %unit, i64 $unit_before)
  %flows = icmp eq i64 %before, 0
  br i1 %flows, label %enter, label %wait
wait:
  %alive = call i1 @finish(ptr %control, ptr %job, ptr %units, ptr %counters, ptr %done, i64 %tag,
                           i64 %before, i64 %mine, i64 %start, i64 %u, i64 %thread, ptr %work)
  %done_next = getelementptr i64, ptr %done, i64 1
  br i1 %alive, label %enter, label %over
enter:
  %mine_now = phi i64 [%mine, %unit_begins], [0, %wait]
  %start_now = phi i64 [%start, %unit_begins], [%u, %wait]
  %done_now = phi ptr [%done, %unit_begins], [%done_next, %wait]
  %is_single = icmp eq i64 %chunks, 1
  br i1 %is_single, label %alone, label %together
alone:
  br i1 %caller, label %take, label %next
take:
  %did = call i64 @single(ptr %job, ptr %unit, ptr %counter, i64 %tag, ptr %work)
  br label %next
together:
  %did_many = call i64 @shared(ptr %job, ptr %unit, ptr %counter, i64 %stride, i64 %tag,
                               i64 %thread, i64 %threads, ptr %work)
  br label %next
next:
  %did_now = phi i64 [0, %alone], [%did, %take], [%did_many, %together]
  %mine_next = add i64 %mine_now, %did_now
  %u1 = add i64 %u, 1
  br label %loop
end:
  %ignored = call i1 @finish(ptr %control, ptr %job, ptr %units, ptr %counters, ptr %done,
                             i64 %tag, i64 %total, i64 %mine, i64 %start, i64 %unit_count,
                             i64 %thread, ptr %work)
  br label %over
over:
  ret void
}

; Runs a program; %arrays is a Python tuple of NumPy arrays, whose addresses fill the table.
; Answers the status, or $unprepared if nothing was done because something is missing.
define internal i64 @run(ptr %control, ptr %job, ptr %arrays) nounwind {
entry:
  %arena_needed = call i64 @get(ptr %job, i64 $job_arena_bytes)
  %arena_bytes = call i64 @get(ptr %control, i64 $arena_bytes)
  %no_arena = icmp ugt i64 %arena_needed, %arena_bytes
  %work_needed = call i64 @get(ptr %job, i64 $job_work_bytes)
  %work_bytes = call i64 @get(ptr %control, i64 $work_bytes)
  %no_work = icmp ugt i64 %work_needed, %work_bytes
  %unit_count = call i64 @get(ptr %job, i64 $job_unit_count)
  %room = call i64 @get(ptr %control, i64 $units)
  %no_room = icmp ugt i64 %unit_count, %room
  %no_memory = or i1 %no_arena, %no_work
  %missing = or i1 %no_memory, %no_room
  br i1 %missing, label %unprepared, label %addresses
unprepared:
  ret i64 $unprepared
addresses:
  %table_word = call i64 @get(ptr %job, i64 $job_table)
  %table = inttoptr i64 %table_word to ptr
  %items = getelementptr i8, ptr %arrays, i64 $tuple_items
  %array_count = call i64 @get(ptr %job, i64 $job_array_count)
  br label %array_loop
array_loop:
  %a = phi i64 [0, %addresses], [%a1, %array_body]
  %more_arrays = icmp ult i64 %a, %array_count
  br i1 %more_arrays, label %array_body, label %base
array_body:
  %item = getelementptr ptr, ptr %items, i64 %a
  %object = load ptr, ptr %item, align 8
  %data_at = getelementptr i8, ptr %object, i64 $array_data
  %data = load i64, ptr %data_at, align 8
  %a1 = add i64 %a, 1
  %entry_a = getelementptr i64, ptr %table, i64 %a1
  store i64 %data, ptr %entry_a, align 8
  br label %array_loop
base:                                              ; temporaries, where the arena has moved
  %arena = call i64 @get(ptr %control, i64 $arena)
  %known = call i64 @get(ptr %job, i64 $job_base)
  %same = icmp eq i64 %arena, %known
  br i1 %same, label %begin, label %moved
moved:
  call void @set(ptr %job, i64 $job_base, i64 %arena)
  %offsets_word = call i64 @get(ptr %job, i64 $job_offsets)
  %offsets = inttoptr i64 %offsets_word to ptr
  %offset_count = call i64 @get(ptr %job, i64 $job_offset_count)
  %after_arrays = getelementptr i64, ptr %table, i64 %array_count
  br label %offset_loop
offset_loop:
  %o = phi i64 [0, %moved], [%o1, %offset_body]
  %more_offsets = icmp ult i64 %o, %offset_count
  br i1 %more_offsets, label %offset_body, label %begin
offset_body:
  %offset = call i64 @get(ptr %offsets, i64 %o)
  %address = add i64 %arena, %offset
  %o1 = add i64 %o, 1
  %entry_o = getelementptr i64, ptr %after_arrays, i64 %o1
  store i64 %address, ptr %entry_o, align 8
  br label %offset_loop
begin:
  %status = load ptr, ptr %table, align 8
  store i64 0, ptr %status, align 8
  %work_word = call i64 @get(ptr %control, i64 $own_work)
  %work = inttoptr i64 %work_word to ptr
  %threads = call i64 @get(ptr %control, i64 $size)
  %several = icmp ugt i64 %threads, 1
  %parallel = call i64 @get(ptr %job, i64 $job_parallel)
  %is_parallel = icmp ne i64 %parallel, 0
  %share = and i1 %several, %is_parallel
  br i1 %share, label %together, label %alone
alone:
  %step_count = call i64 @get(ptr %job, i64 $job_step_count)
  call void @in_a_row(ptr %job, i64 0, i64 %step_count, ptr %work)
  br label %end
together:
  %counters_word = call i64 @get(ptr %control, i64 $own_counters)
  %counters = inttoptr i64 %counters_word to ptr
  %closed = load atomic i64, ptr %control monotonic, align 8
  %open = add i64 %closed, 1
  fence release                                    ; that it was closed is seen before what follows
  %job_word = ptrtoint ptr %job to i64
  call void @set(ptr %control, i64 $job, i64 %job_word)
  call void @set(ptr %control, i64 $threads, i64 %threads)
  call void @set(ptr %control, i64 $counters, i64 %counters_word)
  call void @set(ptr %control, i64 $stride, i64 %room)
  call void @set(ptr %control, i64 $work, i64 %work_word)
  call void @set(ptr %control, i64 $work_stride, i64 %work_bytes)
  %swapped = atomicrmw xchg ptr %control, i64 %open seq_cst, align 8
  %crowd = call i64 @get(ptr %job, i64 $job_crowd)
  call void @wake(ptr %control, i64 %crowd)
  %tag = shl i64 %open, $chunk_bits
  call void @participate(ptr %control, ptr %job, i64 %tag, i64 0, i64 %threads, ptr %counters,
                         i64 %room, ptr %work)
  %closed_again = add i64 %open, 1
  %swapped_again = atomicrmw xchg ptr %control, i64 %closed_again seq_cst, align 8
  br label %end
end:
  %code = load atomic i64, ptr %status acquire, align 8
  ret i64 %code
}

; A worker's life. Answers $stopped when the pool is closed, $sleepy when the thread has been idle
; for long and the system offers no way of sleeping in here.
define internal i64 @serve(ptr %control, i64 %thread) nounwind {
entry:
  %line = mul i64 %thread, $line
  %state_word = add i64 %line, $state
  %state = getelementptr i64, ptr %control, i64 %state_word
  %parked = getelementptr i64, ptr %control, i64 $parked
  br label %rest
rest:                                              ; %seen: the last generation that we were in
  %seen = phi i64 [0, %entry], [%seen, %unpark], [%generation, %leave]
  %began = call i64 @ticks()
  %awake = call i64 @get(ptr %control, i64 $awake)
  %idle = call i64 @get(ptr %control, i64 $idle)
  br label %look
look:
  %generation = load atomic i64, ptr %control acquire, align 8
  %stop = call i64 @get(ptr %control, i64 $stop)
  %stopped = icmp ne i64 %stop, 0
  br i1 %stopped, label %end, label %work_or_wait
work_or_wait:
  %odd = and i64 %generation, 1
  %is_open = icmp ne i64 %odd, 0
  %is_new = icmp ne i64 %generation, %seen
  %ready = and i1 %is_open, %is_new
  br i1 %ready, label %join, label %wait
wait:
  call void @pause()
  %now = call i64 @ticks()
  %waited = sub i64 %now, %began
  %long = icmp ugt i64 %waited, %awake
  br i1 %long, label %yield, label %look
yield:
  %too_long = icmp ugt i64 %waited, %idle
  br i1 %too_long, label %park, label %step_aside
step_aside:
  %ignored = call i32 @$yielding()
  br label %look
park:
  %before = atomicrmw add ptr %parked, i64 1 seq_cst, align 8
  %last_look = load atomic i64, ptr %control seq_cst, align 8
  %changed = icmp ne i64 %last_look, %generation
  br i1 %changed, label %unpark, label %sleep
sleep:
  %native = call i64 @get(ptr %control, i64 $futex)
  %sleeps_here = icmp ne i64 %native, 0
  br i1 %sleeps_here, label %futex, label %sleepy
futex:
  call void @sleep(ptr %control, i64 %generation)
  br label %unpark
unpark:
  %after = atomicrmw sub ptr %parked, i64 1 seq_cst, align 8
  br label %rest
sleepy:                                            ; `woken` takes us off the count
  ret i64 $sleepy
join:                                              ; first say that we are in, then look again
  %was = atomicrmw xchg ptr %state, i64 %generation seq_cst, align 8
  %still = load atomic i64, ptr %control seq_cst, align 8
  %in_time = icmp eq i64 %still, %generation
  br i1 %in_time, label %read, label %leave
read:
  %job_word = call i64 @get(ptr %control, i64 $job)
  %threads = call i64 @get(ptr %control, i64 $threads)
  %counters_word = call i64 @get(ptr %control, i64 $counters)
  %stride = call i64 @get(ptr %control, i64 $stride)
  %work_base = call i64 @get(ptr %control, i64 $work)
  %work_stride = call i64 @get(ptr %control, i64 $work_stride)
  fence acquire
  %unchanged = load atomic i64, ptr %control monotonic, align 8
  %whole = icmp eq i64 %unchanged, %generation
  %ours = icmp ult i64 %thread, %threads
  %go = and i1 %whole, %ours
  br i1 %go, label %take_part, label %leave
take_part:
  %job = inttoptr i64 %job_word to ptr
  %counters = inttoptr i64 %counters_word to ptr
  %work_offset = mul i64 %thread, %work_stride
  %work_word = add i64 %work_base, %work_offset
  %work = inttoptr i64 %work_word to ptr
  %tag = shl i64 %generation, $chunk_bits
  call void @participate(ptr %control, ptr %job, i64 %tag, i64 %thread, i64 %threads,
                         ptr %counters, i64 %stride, ptr %work)
  br label %leave
leave:
  store atomic i64 0, ptr %state seq_cst, align 8
  br label %rest
end:
  ret i64 $stopped
}

; Ends the workers. Nothing may be running.
define internal void @halt(ptr %control) nounwind {
  call void @set(ptr %control, i64 $stop, i64 1)
  %old = atomicrmw add ptr %control, i64 2 seq_cst, align 8   ; so that nobody falls asleep now
  call void @wake(ptr %control, i64 2147483647)
  ret void
}

; A thread that was sleepy is awake again.
define internal void @woken(ptr %control) nounwind {
  %parked = getelementptr i64, ptr %control, i64 $parked
  %after = atomicrmw sub ptr %parked, i64 1 seq_cst, align 8
  ret void
}

define internal i64 @ticks_now() nounwind {
  %now = call i64 @ticks()
  ret i64 %now
}

@chainrule_driver = constant [5 x ptr] [ptr @run, ptr @serve, ptr @halt, ptr @woken,
                                        ptr @ticks_now]
