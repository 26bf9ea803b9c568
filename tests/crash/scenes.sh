# scenes.sh: for tests that kill the appliance: . "$top_srcdir/tests/crash/scenes.sh", after tap.sh, home.sh and preload.sh
#
#   first_scene                $tmp/first: a home at whose doors 30 files lie, taken one after the other
#   second_scene               $tmp/second: what the first made ($tmp/reference-first), answered by those who got it
#   third_scene                $tmp/third: what the second made, to be run $days seconds later
#   look HOME                  all that can be seen of it, but for times and counts of attempts
#   job, run_jobs NAME         below

program=$top_builddir/waybill-spool
TZ=UTC
LC_ALL=C
export TZ LC_ALL

# a program that is watched starts slowly: every third stop will do, for its plain self stops at all of them
each=1
! ldd "$program" | grep -q 'lib[acltu]*san' || each=3

# --- Homes -------------------------------------------------------------------------------------------------------

# order NUMBER CONTROL [SED]: an 850 of Northwind's
order() {
    sed "s/\\*61\\*X/*$2*X/; s/^GE\\*1\\*61/GE*1*$2/; s/000000061/$(printf %09d "$2")/; s/NW-131/$1/; ${3:-}" "$chain/850.edi"
}

# Files lie at the doors one after the other, so that the order in which they are taken is always the same.
clock=1000000000
put() {
    drop "$1" "$2" "${3:--}"
    clock=$((clock + 10))
    touch -d "@$clock" "$home/spool/in/$1/$2"
}

first_scene() {
    make_home "$tmp/first"
    sed -i 's/to erp, larkspur .*/to erp, larkspur  priority high/' "$home/partners/northwind.conf"
    sed -i '/receive   850/a\  receive   850 as order   map northwind/850   to shop   when number = "NW-103"' "$home/partners/northwind.conf"
    sed -i 's,map larkspur/940   by folder,map larkspur/940   by folder  batch 4,' "$home/partners/larkspur.conf"
    printf '%s\n' 'partner shop "A shop that is not there"' '  is shop' '  receive order by folder /not/there/%number.json' \
        >"$home/partners/shop.conf"
    printf '%s\n' 'partner kontor "A retailer who speaks EDIFACT"' '  is retailer' '  edifact 14:4012345000009 us 14:4098765000005' \
        '  receive ORDERS as order to erp' '  send INVRPT from inventory by folder' '  acknowledge contrl' '  expect contrl within 2h' \
        >"$home/partners/kontor.conf"
    echo '  send inventory from folder' >>"$home/partners/erp.conf"
    mkdir -p "$home/spool/in/kontor"
    for i in 1 2 3 4 5 6; do
        order "NW-10$i" "$i" | put northwind "order-$i.edi"
    done
    order NW-102 2 | put northwind again.edi
    order NW-199 3 | put northwind same-number.edi
    order NW-107 7 's/^DTM\*010\*20261123/DTM*010*20261323/' | put northwind bad.edi
    {
        order NW-111 11 | sed '/^SE/,$d' && echo 'SE*16*0001~'
        order NW-112 11 's/0001~/0002~/' | sed '1,2d; /^GE/,$d'
        order NW-113 11 's/0001~/0003~/' | sed '1,2d; s/^GE\*1/GE*3/'
    } | put northwind three.edi
    order NW-105 12 | put northwind repeated.edi
    order NW-106 13 's/^PO1\*020\*6/PO1*020*7/; s/^SDQ\*EA\*92\*0012\*6/SDQ*EA*92*0012*7/' | put northwind changed.edi
    mkdir "$tmp/bundle" && cp "$top_srcdir/partners/larkspur/846.edi" "$top_srcdir/tests/data/appliance/856.edi" "$tmp/bundle"
    (cd "$tmp/bundle" && tar --owner=0 --group=0 --mtime=@1000000000 -czf - 846.edi 856.edi) | put larkspur bundle.tar.gz
    sed 's/^{/{"partner":"northwind",/; s/"partner":"larkspur",//; s/LK-550901/ERP-1/' "$chain/shipment.json" | put erp shipment.json
    sed 's/^{/{"partner":"nobody",/; s/"partner":"larkspur",//; s/LK-550901/ERP-2/' "$chain/shipment.json" | put erp nobody.json
    sed 's/"partner":"larkspur",//; s/LK-550901/ERP-3/' "$chain/shipment.json" | put erp unaddressed.json
    echo '{"record":"shipment","version":1}' | put erp wrong.json
    # of a kind that Northwind does not send; and what cannot be said in his 856
    sed 's/12\*6145550199     /ZZ*NORTHWIND      /; s/^GS\*IB\*LARKSPUR/GS*IB*NWPO/' "$top_srcdir/partners/larkspur/846.edi" |
        put northwind 846.edi
    sed 's/^{/{"partner":"northwind",/; s/"partner":"larkspur",//; s/LK-550901/ERP-4-a-number-that-is-longer-than-theirs/' "$chain/shipment.json" |
        put erp unsaid.json
    put kontor orders.edi "$top_srcdir/maps/edifact/ORDERS-order/retail.edi"
    sed 's/^{/{"partner":"kontor",/; s/"source":{[^}]*},//' "$top_srcdir/maps/edifact/INVRPT-inventory/retail.json" | put erp inventory.json
    echo 'hello' | put larkspur letter.txt
    # of a size that gets a file of its own
    yes 'hello once more' | head -n 5000 | put larkspur long-letter.txt
    sed 's/ZZ\*NORTHWIND      /ZZ*SOMEBODYELSE   /' "$chain/850.edi" | put northwind else.edi
}

# The first of what Larkspur got is rejected, the others are accepted.
second_scene() {
    local rejected=yes
    cp -a "$tmp/reference-first" "$tmp/second"
    home=$tmp/second
    WAYBILL_HOME=$home
    clock=1100000000
    for f in "$home"/spool/out/larkspur/940-*.edi; do
        n=$(basename "$f" .edi)
        "$WAYBILL" ack --partner "$home/partners/larkspur.conf" --control "$((70 + 10#${n#940-}))" "$f" 2>/dev/null |
            if [ -n "$rejected" ]; then
                sed '0,/^AK5\*A/s/^AK5\*A/AK3*W05*2**8~\nAK4*2*324*7*WRONG~\nAK5*R*5/; s/^SE\*\([0-9]*\)/SE*\1/' |
                    awk -F '*' '/^ST/ { n = 0 } { n++ } /^SE/ { sub(/^SE\*[0-9]+/, "SE*" n) } { print }'
            else
                cat
            fi | put larkspur "997-$n.edi"
        rejected=
    done
    sed 's/NW-131/NW-101/g' "$chain/945.edi" | put larkspur 945.edi
    sed 's/NW-131/NW-777/g; s/000002301/000002302/; s/\*2301/*2302/; s/LK-550901/LK-550902/' "$chain/945.edi" | put larkspur 945-unknown.edi
}

# Days later (WAYBILL_CLOCK): what is through goes to the archive, what was not acknowledged is overdue, who cannot be reached is given up.
days=$((3 * 86400))
third_scene() {
    cp -a "$tmp/reference-second" "$tmp/third"
    for file in "$tmp"/third/partners/*.conf; do
        echo '  keep 1d' >>"$file"
    done
}

# Every file at a door or for a partner; how many payloads have a file of their own; every row; what came, as it is kept.
look() {
    (
        cd "$1/spool" || exit
        find in out tmp archive -type f | sort
        find objects -type f | wc -l
        find in out -type f | sort | xargs -d '\n' sed -s '1F
            1,2s/^\(UNB.*\)+[0-9]\{6\}:[0-9]\{4\}+/\1+DATE+/
            1s/\*[0-9]\{6\}\*[0-9]\{4\}\*U\*/*DATE*U*/; 2s/\*[0-9]\{8\}\*[0-9]\{4,6\}\*/*DATE*/'
        for thing in transmission document delivery; do
            WAYBILL_HOME=$1 "$program" list $thing --limit 0 --json |
                sed -E 's/"[a-z]*":"[0-9-]*T[0-9:]*Z"//g; s/"attempts":[0-9]+//; s/"sha256":"[^"]*"//; s/(backup of )[^;]*;/\1/; s/,+/,/g' | sort
        done
        WAYBILL_HOME=$1 "$program" cat $(WAYBILL_HOME=$1 "$program" list transmission --limit 0 --json |
            sed -n 's/^{"transmission":"\(T[0-9]*\)",.*"direction":"in".*/\1/p') | sha256sum
    )
}

# --- Jobs --------------------------------------------------------------------------------------------------------

# A test says what is to be done, a line each, by `job SCENE CALL LATER WORDS VARIABLE=VALUE...`: the scene is run with these knobs
# (README.md), and then without, LATER seconds later; it looks then as the scene looks that nobody disturbed. run_jobs
# does all of them, by two at a time.
killed=0
unharmed=0

job() {
    printf '%s|' "$1" "$2" "$3" "$4" && shift 4 && echo "$@"
} >>"$tmp/jobs"

harm_it() {
    work=$tmp/work-$worker pins=$tmp/pins-$worker
    rm -rf "$work" "$pins"
    cp -a "$tmp/$scene" "$work"
    mkdir "$pins"
    status=0
    (
        set -f # patterns stay as they are
        # shellcheck disable=SC2086
        export WAYBILL_CLOCK="+$(cat "$tmp/ahead-$scene")" $knobs WAYBILL_CRASH_UNDER="$work/spool" WAYBILL_CRASH_PINS="$pins" WAYBILL_HOME="$work"
        with_faults "$program" run --once
    ) >/dev/null 2>"$work.harmed" || status=$?
    case $status in
    137) echo killed ;;
    0 | 69 | 75) echo unharmed ;;
    *) echo "different $scene: $words call $call: status $status: $(tr '\n' ' ' <"$work.harmed")" ;;
    esac
}

harm() {
    harm_it
    status=0
    # what could not be handed over is tried again after a quarter of an hour or so
    WAYBILL_CLOCK=+$later WAYBILL_HOME=$work with_faults "$program" run --once >"$work.said" 2>&1 || status=$?
    look "$work" >"$work.look"
    [ "$status" -ne 0 ] || ! cmp -s "$work.look" "$tmp/look-$scene" || return 0
    echo "different $scene: $words call $call ($(sed -n "${call}p" "$tmp/report-$scene" | cut -c 1-100))"
    echo "first: $(grep -v ' Killed ' "$work.harmed")"
    echo "started again: status $status: $(cat "$work.said")"
    diff "$tmp/look-$scene" "$work.look" | cut -c 1-300 | head -n 12
} 2>&1

# run_jobs NAME [same|different]: one test of all of them
run_jobs() {
    for worker in 0 1; do
        awk -v worker=$worker 'NR % 2 == worker' "$tmp/jobs" | while IFS='|' read -r scene call later words knobs; do harm; done \
            >"$tmp/done-$worker" &
    done
    wait
    cat "$tmp"/done-? >"$tmp/done"
    killed=$((killed + $(grep -c '^killed$' "$tmp/done")))
    unharmed=$((unharmed + $(grep -c '^unharmed$' "$tmp/done")))
    different=$(grep -c '^different' "$tmp/done")
    if [ "${2:-same}" = different ]; then
        is "$1" "$different" "$(wc -l <"$tmp/jobs")"
    elif [ "$different" -gt 0 ]; then
        fail "$1" "$different of $(wc -l <"$tmp/jobs")" "$(grep -v '^killed$\|^unharmed$' "$tmp/done" | head -n 60)"
    else
        is "$1" "$(grep -c '^killed$\|^unharmed$' "$tmp/done")" "$(wc -l <"$tmp/jobs")"
    fi
    rm "$tmp/jobs"
}
