(component
    ;; A reply policy that echoes, or, asked with a frame that begins with `h`, answers HELD times in an hour, against the
    ;; contract in wit/.
    (type $types-interface (instance
        (type $error-is (variant (case "rejected" string) (case "failed" string)))
        (export "error" (type $error (eq $error-is)))))
    (import "tidegate:plugin/types@0.1.0" (instance $types (type $types-interface)))
    (alias export $types "error" (type $error))

    (core module $guest
        (memory (export "memory") 1)
        (global $free (mut i32) (i32.const 1024))
        ;; An instance serves one call, whose small input lies below what is returned.
        (func (export "realloc") (param i32 i32 i32) (param $bytes i32) (result i32)
            (local $at i32)
            (local.set $at (global.get $free))
            (global.set $free
                (i32.and (i32.add (i32.add (local.get $at) (local.get $bytes)) (i32.const 7)) (i32.const -8)))
            (local.get $at))
        (func (export "replies")
            (param $identity i32) (param i32) (param $metadata i32) (param i32) (param $frames i32) (param $count i32)
            (result i32)
            (local $held i32) (local $i i32) (local $at i32)
            ;; ok, then the list: at 32768, of one reply.
            (i32.store (i32.const 4) (i32.const 32768))
            (i32.store (i32.const 8) (i32.const 1))
            (local.set $held (i32.eq (i32.load8_u (i32.load (local.get $frames))) (i32.const 104)))
            (if (local.get $held) (then (i32.store (i32.const 8) (i32.const HELD))))
            (local.set $at (i32.const 32768))
            (loop $replies
                ;; Each waits for the one before it.
                (i32.store (local.get $at)
                    (select (i32.const 3600000) (i32.const 0)
                        (i32.and (local.get $held) (i32.eqz (local.get $i)))))
                (i32.store offset=4 (local.get $at) (local.get $frames))
                (i32.store offset=8 (local.get $at) (local.get $count))
                (local.set $at (i32.add (local.get $at) (i32.const 12)))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $replies (i32.lt_u (local.get $i) (i32.load (i32.const 8)))))
            (i32.const 0)))
    (core instance $guest (instantiate $guest))

    (type $bytes (list u8))
    (type $pair (tuple string string))
    (type $request (record
        (field "identity" $bytes)
        (field "metadata" (list $pair))
        (field "frames" (list $bytes))))
    (type $reply (record (field "delay-ms" u32) (field "frames" (list $bytes))))
    (func $replies
        (param "request" $request)
        (result (result (list $reply) (error $error)))
        (canon lift
            (core func $guest "replies")
            (memory (core memory $guest "memory"))
            (realloc (core func $guest "realloc"))))

    ;; The role's own types have to be exported with its function.
    (component $role
        (type $bytes (list u8))
        (type $pair (tuple string string))
        (type $request-is (record
            (field "identity" $bytes)
            (field "metadata" (list $pair))
            (field "frames" (list $bytes))))
        (import "request" (type $request (eq $request-is)))
        (type $reply-is (record (field "delay-ms" u32) (field "frames" (list $bytes))))
        (import "reply" (type $reply (eq $reply-is)))
        (type $error-is (variant (case "rejected" string) (case "failed" string)))
        (import "error" (type $error (eq $error-is)))
        (import "replies" (func $replies
            (param "request" $request)
            (result (result (list $reply) (error $error)))))
        (export $request-out "request" (type $request))
        (export $reply-out "reply" (type $reply))
        (export $error-out "error" (type $error))
        (export "replies" (func $replies) (func
            (param "request" $request-out)
            (result (result (list $reply-out) (error $error-out))))))
    (instance $exported (instantiate $role
        (with "request" (type $request))
        (with "reply" (type $reply))
        (with "error" (type $error))
        (with "replies" (func $replies))))
    (export "tidegate:plugin/reply-policy@0.1.0" (instance $exported)))
