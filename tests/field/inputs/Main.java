import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;

public class Main {
    public static void main(String[] arguments) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(3);
        List<Future<Integer>> sums = new ArrayList<>();
        for (int i = 1; i <= 3; i++) {
            int number = i;
            sums.add(pool.submit(() -> IntStream.range(0, 1000 * number).sum()));
        }
        for (Future<Integer> sum : sums)
            System.out.println(sum.get());
        pool.shutdown();
        Process child = new ProcessBuilder("sh", "-c", "echo a word; exit 3").start();
        System.out.print(new String(child.getInputStream().readAllBytes()));
        System.exit(child.waitFor());
    }
}
