(component
    ;; A transform that counts before it answers `done`, against the contract in wit/.
    (type $types-interface (instance
        (type $pair (tuple string string))
        (type $message-is (record
            (field "topic" string)
            (field "metadata" (list $pair))
            (field "body" (list u8))))
        (export "message" (type $message (eq $message-is)))
        (type $error-is (variant (case "rejected" string) (case "failed" string)))
        (export "error" (type $error (eq $error-is)))))
    (import "tidegate:plugin/types@0.1.0" (instance $types (type $types-interface)))
    (alias export $types "message" (type $message))
    (alias export $types "error" (type $error))

    (core module $guest
        (memory (export "memory") 1)
        ;; Every input is laid over the one before it: nobody reads them.
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 16))
        (data (i32.const 65000) "\00\00\00\00\01\00\00\00")
        (data (i32.const 65024) "\28\fe\00\00\04\00\00\00")
        (data (i32.const 65064) "done")
        (func (export "transform") (param i32 i32 i32 i32 i32 i32) (result i32)
            (local $i i32)
            (loop
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if 0 (i32.lt_u (local.get $i) (i32.const STEPS))))
            (i32.const 65000)))
    (core instance $guest (instantiate $guest))

    (func $transform
        (param "input" $message)
        (result (result (option $message) (error $error)))
        (canon lift
            (core func $guest "transform")
            (memory (core memory $guest "memory"))
            (realloc (core func $guest "realloc"))))
    (instance $role (export "transform" (func $transform)))
    (export "tidegate:plugin/transform@0.1.0" (instance $role)))
