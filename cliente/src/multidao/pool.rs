//! Um pool fixo de threads da std: N trabalhadores, uma fila de tarefas numeradas, e o que cada
//! tarefa devolve. Não sabe o que são as tarefas.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::multidao::limites::ha_memoria;

/// A pilha de cada thread. Medido: a sessão mais funda toca 12 KiB dela, otimizada, e 56 KiB sem otimizar; o
/// rastro de um pânico, outros 28 KiB. Cabem três do pior caso. Só o que se toca ocupa memória, mas os
/// endereços de cinco mil pilhas de 2 MiB, o padrão da std, seriam 10 GiB.
const PILHA: usize = 256 * 1024;

/// Executa `tarefa(0)`, `tarefa(1)`... até `tarefas - 1`, em no máximo `threads` threads, cada uma
/// pegando a próxima da fila quando termina a anterior, e devolve o que devolveram, sem ordem.
/// Enquanto isso, `enquanto(threads)` roda na thread de quem chamou, sabendo quantas o sistema deu.
///
/// Cada thread tem a sua cópia de `tarefa`, e ninguém mais: um canal que ela carregue se fecha
/// quando a última thread termina.
///
/// # Errors
///
/// O sistema não deu nenhuma thread. Se deu algumas, o pool segue com elas: cada tarefa ainda será feita,
/// só que menos ao mesmo tempo.
pub fn executar<T: Send>(
    threads: usize,
    tarefas: usize,
    tarefa: impl Fn(usize) -> T + Send + Clone,
    enquanto: impl FnOnce(usize),
) -> io::Result<Vec<T>> {
    let proxima = AtomicUsize::new(0);
    let pegar = || Some(proxima.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < tarefas);
    thread::scope(|escopo| {
        let mut trabalhadores = Vec::new();
        for _ in 0..threads.min(tarefas) {
            if !ha_memoria() {
                break;
            }
            let tarefa = tarefa.clone();
            let trabalhar = || std::iter::from_fn(pegar).map(tarefa).collect::<Vec<T>>();
            match thread::Builder::new().stack_size(PILHA).spawn_scoped(escopo, trabalhar) {
                Ok(trabalhador) => trabalhadores.push(trabalhador),
                Err(erro) if trabalhadores.is_empty() => return Err(erro),
                Err(_) => break,
            }
        }
        if trabalhadores.is_empty() && tarefas > 0 {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        drop(tarefa);
        enquanto(trabalhadores.len());
        let mut resultados = Vec::with_capacity(tarefas);
        for trabalhador in trabalhadores {
            match trabalhador.join() {
                Ok(parte) => resultados.extend(parte),
                // Um defeito nosso, não do servidor: não se esconde.
                Err(panico) => std::panic::resume_unwind(panico),
            }
        }
        Ok(resultados)
    })
}

#[cfg(test)]
mod testes {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn cada_tarefa_e_feita_uma_vez_e_o_que_devolve_chega() {
        let mut feito = executar(3, 100, |n| n * 2, |threads| assert_eq!(threads, 3)).unwrap();
        feito.sort_unstable();
        assert_eq!(feito, (0..100).map(|n| n * 2).collect::<Vec<_>>());
    }

    #[test]
    fn com_uma_thread_por_tarefa_todas_estao_vivas_ao_mesmo_tempo() {
        let encontro = Barrier::new(20);
        let feito = executar(20, 20, |_| encontro.wait().is_leader(), |_| ()).unwrap();
        assert_eq!(feito.iter().filter(|lider| **lider).count(), 1);
    }

    #[test]
    fn o_canal_da_tarefa_se_fecha_quando_a_ultima_termina() {
        let (envia, recebe) = std::sync::mpsc::channel();
        let contar = |_| assert_eq!(recebe.iter().sum::<usize>(), 45);
        executar(4, 10, move |n| envia.send(n).unwrap(), contar).unwrap();
    }

    #[test]
    fn nunca_ha_mais_threads_que_tarefas() {
        executar(50, 2, |_| (), |threads| assert_eq!(threads, 2)).unwrap();
    }
}
