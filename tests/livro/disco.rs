//! O disco cheio, ou com defeito, em cada passo: o servidor não confirma o que não está firme, diz por
//! que parou, e o livro continua de onde estava.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use testes::{Servidor, Termino, palavras_em_ingles, por_meio_de};

use crate::rastro::{caminho_do_rastro, ha_strace, sob_strace};
use crate::sob_teste::{Arquivo, Fala, Ouvido};

const ESTOQUE: u64 = 1_000;

/// Como acabou uma vida com o disco estragado.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fim {
    /// Não abriu.
    NaoAbriu,
    /// Abriu, vendeu estas, e parou na seguinte.
    Parou(u64),
    /// O estrago não o atrapalhou.
    Vendeu,
}

/// Um freguês compra até `compras`, ou até onde o servidor for; depois, sem o estrago, o livro tem de
/// continuar.
fn viver(livro: &Arquivo, comando: Command, compras: u64) -> Fim {
    let mut ouvido = Ouvido::default();
    let fim = match Servidor::tentar(comando) {
        Err(termino) => {
            uma_linha(&termino, 0);
            Fim::NaoAbriu
        }
        Ok(mut servidor) => {
            comprar(&servidor, compras, &mut ouvido);
            if ouvido.confirmadas() == compras {
                assert_eq!(servidor.encerrar().codigo, Some(0));
                Fim::Vendeu
            } else {
                // A linha de abertura, a do livro, e a que diz por que parou.
                let termino = servidor.termino();
                let ultima = uma_linha(&termino, 2);
                // O registro também é um anúncio: a venda que não se firmou não está nele.
                let registradas = termino.saida.matches("COMPRAR -> Compra realizada").count();
                assert!(registradas as u64 <= ouvido.confirmadas(), "{}", termino.saida);
                assert!(
                    ultima.contains("parou de vender") && ultima.contains(livro.caminho()),
                    "{ultima}"
                );
                Fim::Parou(ouvido.confirmadas())
            }
        }
    };
    if fim == Fim::NaoAbriu {
        // Talvez nem haja livro ainda: abri-lo com o mesmo estoque serve aos dois casos.
        assert_eq!(livro.abrir(Some(ESTOQUE)).encerrar().codigo, Some(0));
    }
    let extrato = livro.extrato();
    ouvido.conferir(&extrato);
    assert!(extrato.vendidas() <= ouvido.confirmadas() + 1, "vendeu o que ninguém pediu");
    livro.continua(&mut ouvido);
    fim
}

fn comprar(servidor: &Servidor, compras: u64, ouvido: &mut Ouvido) {
    let mut cliente = servidor.cliente();
    let de = cliente.endereco();
    for _ in 0..compras {
        cliente.arrisca("COMPRAR\n");
        // Quem esperava a resposta de um turno que não se firmou só vê o fim.
        let Some(linha) = cliente.ouve() else { return };
        ouvido.anotar(ESTOQUE, &Fala { de, linha });
    }
}

/// Saiu com 1, e depois de `antes` linhas só há uma, que diz por quê.
fn uma_linha(termino: &Termino, antes: usize) -> &str {
    let erro = &termino.erro;
    assert_eq!(termino.codigo, Some(1), "{erro}");
    let linhas: Vec<_> = erro.lines().collect();
    assert_eq!(linhas.len(), antes + 1, "{erro}");
    assert!(linhas[antes].starts_with("servidor: ") && linhas[antes].contains("livro"), "{erro}");
    assert_eq!(palavras_em_ingles(erro), [""; 0], "{erro}");
    linhas[antes]
}

/// O servidor de `livro`, que não pode escrever em arquivo nenhum depois de `blocos` de 512 bytes.
fn com_pouco_disco(livro: &Arquivo, blocos: u32) -> Command {
    // O sinal de arquivo grande demais (SIGXFSZ), que mataria, é o servidor que o ignora.
    let roteiro = format!("ulimit -f {blocos}; exec \"$@\"");
    por_meio_de(&["sh", "-c", &roteiro, "sh"], &livro.comando_que_registra(Some(ESTOQUE)))
}

#[test]
fn o_disco_acaba_em_cada_ponto_do_arquivo() {
    let viver_com = |blocos: u32| {
        let livro = Arquivo::novo();
        (blocos, viver(&livro, com_pouco_disco(&livro, blocos), 60))
    };
    // De 4 em 4 KiB até haver onde vender, e depois por passos que não casam com página nenhuma.
    let limites: Vec<u32> = (0..72).step_by(8).chain((72..420).step_by(5)).collect();
    let fins = em_duas_threads(&limites, viver_com);
    let parou = |fim: &Fim| matches!(fim, Fim::Parou(_));
    assert_eq!(fins[0].1, Fim::NaoAbriu);
    assert!(fins.iter().filter(|(_, fim)| parou(fim)).count() > 30, "{fins:?}");
    // Mais disco, mais vendas.
    let vendidas = |fim: Fim| match fim {
        Fim::NaoAbriu => 0,
        Fim::Parou(vendidas) => vendidas,
        Fim::Vendeu => 60,
    };
    assert!(fins.is_sorted_by_key(|(_, fim)| vendidas(*fim)), "{fins:?}");
}

/// Faz tudo, em ordem nenhuma, e dá os resultados na ordem.
fn em_duas_threads<T: Copy + Sync, R: Send>(lista: &[T], fazer: impl Fn(T) -> R + Sync) -> Vec<R> {
    let (pares, impares) = thread::scope(|juntas| {
        let fazer = &fazer;
        let metade = |resto| lista.iter().skip(resto).step_by(2).map(|item| fazer(*item));
        let impares = juntas.spawn(move || metade(1).collect::<Vec<_>>());
        (metade(0).collect::<Vec<_>>(), impares.join().unwrap())
    });
    let mut impares = impares.into_iter();
    pares.into_iter().flat_map(|par| [Some(par), impares.next()]).flatten().collect()
}

const COMPRAS: u64 = 4;

/// Quantas vezes a thread que vende faz esta chamada, do começo ao fim de uma vida sem estrago.
fn vezes(rastro: &Path, chamada: &str) -> usize {
    let rastro = fs::read_to_string(rastro).unwrap();
    rastro.lines().filter(|linha| linha.contains(&format!(" {chamada}("))).count()
}

/// Estraga cada uma das vezes que o servidor faz `chamada`.
fn estragar(chamada: &str, erro: &str) {
    if !ha_strace() {
        return;
    }
    let ensaio = Arquivo::novo();
    assert_eq!(viver_sob(&ensaio, None), Fim::Vendeu);
    let vezes: Vec<_> = (1..=vezes(&caminho_do_rastro(&ensaio), chamada)).collect();
    let fins = em_duas_threads(&vezes, |vez| {
        let estrago = format!("{chamada}:error={erro}:when={vez}");
        (vez, viver_sob(&Arquivo::novo(), Some(&estrago)))
    });
    println!("{chamada}: {fins:?}");
    // Cada venda teve a sua falha, e a abertura também.
    for vendidas in 0..COMPRAS {
        assert!(fins.iter().any(|(_, fim)| *fim == Fim::Parou(vendidas)), "{vendidas}: {fins:?}");
    }
    assert_eq!(fins[0].1, Fim::NaoAbriu);
}

fn viver_sob(livro: &Arquivo, estrago: Option<&str>) -> Fim {
    viver(livro, sob_strace(livro, Some(ESTOQUE), estrago), COMPRAS)
}

#[test]
fn o_disco_enche_em_cada_escrita() {
    estragar("pwrite64", "ENOSPC");
}

#[test]
fn o_disco_falha_em_cada_fdatasync() {
    estragar("fdatasync", "EIO");
}
