//! Quem lê o livro enquanto se vende: um extrato que ninguém acaba de ler não segura nada; um leitor parado
//! faz o WAL crescer, o que se diz, tem um teto, e passa quando ele se vai.
//!
//! Com `--nocapture`, dizem quanto esperou quem só consulta. `LIVRO_TETO=1` vai até o teto de verdade (1 GiB, um minuto ou dois).

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use rustix::io::ioctl_fionread;
use testes::{Honesto, Processo, Servidor, ate, comando, executar};

use crate::sob_teste::Arquivo;
use crate::vizinho::Vizinho;

/// Mais do que o laço e a faxina deixam juntar (4 MiB de cada vez), com folga para uma máquina ocupada.
const WAL_A_ANDAR: u64 = 24 * 1024 * 1024;

fn bytes_do_wal(livro: &Arquivo) -> u64 {
    fs::metadata(format!("{}-wal", livro.caminho())).map_or(0, |wal| wal.len())
}

/// Oito fregueses compram, `de_cada_vez`, sem parar até que `basta`.
fn comprar_ate(servidor: &Servidor, de_cada_vez: usize, mut basta: impl FnMut() -> bool) {
    let mut clientes: Vec<_> = (0..8).map(|_| servidor.cliente()).collect();
    while !basta() {
        for cliente in &mut clientes {
            cliente.manda("COMPRAR\n".repeat(de_cada_vez));
        }
        for cliente in &mut clientes {
            let linhas = cliente.linhas(de_cada_vez);
            assert!(linhas.iter().all(|linha| linha.starts_with("Compra realizada")));
        }
    }
}

#[test]
fn sem_leitores_o_wal_nao_passa_de_uns_megabytes() {
    const VOLTAS: u64 = 4_000;
    let livro = Arquivo::novo();
    let mut servidor = livro.abrir(Some(1_000_000_000));
    let (mut maior, mut voltas) = (0, 0);
    let honesto = Honesto::iniciar(servidor.endereco(), Duration::from_millis(1));
    comprar_ate(&servidor, 5, || {
        maior = maior.max(bytes_do_wal(&livro));
        voltas += 1;
        voltas > VOLTAS
    });
    println!("{}", honesto.parar());
    // Ao todo se escreveu no WAL mais do que isto: cada volta, pelo menos três páginas.
    const { assert!(VOLTAS * 3 * 4096 > WAL_A_ANDAR) };
    println!("o maior WAL: {maior} bytes");
    assert!((1..WAL_A_ANDAR).contains(&maior), "{maior}");
    let termino = servidor.encerrar();
    assert_eq!((termino.codigo, termino.conta("vendas")), (Some(0), VOLTAS * 8 * 5));
}

#[test]
fn um_extrato_que_ninguem_le_nao_segura_o_livro() {
    let livro = Arquivo::novo();
    let mut servidor = livro.abrir(Some(1_000_000_000));
    let mut voltas = 0;
    comprar_ate(&servidor, 500, || {
        voltas += 1;
        voltas > 5
    });
    // A saída dele não cabe no cano, e ninguém lê o cano.
    let mut extrato = comando("servidor", ["extrato", livro.caminho()]);
    extrato.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut parado = extrato.spawn().unwrap();
    let cano = parado.stdout.take().unwrap();
    ate("o cano encher", || (ioctl_fionread(&cano).unwrap() > 60_000).then_some(()));
    let mut maior = 0;
    let mut voltas = 0;
    comprar_ate(&servidor, 500, || {
        maior = maior.max(bytes_do_wal(&livro));
        voltas += 1;
        voltas > 60
    });
    assert!(maior < WAL_A_ANDAR, "{maior}");
    assert_eq!(servidor.encerrar().codigo, Some(0));
    // Nem impede que o livro se abra de novo.
    assert_eq!(livro.abrir(None).encerrar().codigo, Some(0));
    parado.kill().unwrap();
    parado.wait().unwrap();
}

fn avisou(servidor: &Servidor) -> bool {
    servidor.erro().ate_agora().contains("outro programa lê o livro há muito tempo")
}

/// Um leitor para, diz-se, e sai; volta quanto esperou quem só consulta, no pior caso, enquanto o WAL encolhia.
/// `None` sem Python.
fn um_leitor_para_e_sai() -> Option<Duration> {
    let livro = Arquivo::novo();
    let mut servidor = livro.abrir(Some(1_000_000_000));
    let leitor = Vizinho::novo(&livro, "BEGIN")?;
    let honesto = || Honesto::iniciar(servidor.endereco(), Duration::from_millis(1));
    let durante = honesto();
    comprar_ate(&servidor, 5, || avisou(&servidor));
    let preso = bytes_do_wal(&livro);
    println!("com o leitor, o WAL chegou a {preso} bytes; {}", durante.parar());
    assert!(preso > 60 * 1024 * 1024, "{preso}");
    let depois = honesto();
    leitor.sair();
    comprar_ate(&servidor, 5, || bytes_do_wal(&livro) < WAL_A_ANDAR);
    let depois = depois.parar();
    println!("sem ele, até o WAL encolher: {depois}");
    // O que sobrou do WAL passa-se a limpo ao fechar: em um disco ocupado, demora.
    let termino = servidor.encerrar_em(Duration::from_secs(120));
    assert_eq!(termino.codigo, Some(0));
    let servidor = livro.abrir(None);
    let vendidas = format!("livro: {} de 1000000000 vendidas\n", termino.conta("vendas"));
    servidor.erro().ate(&vendidas, |texto| texto.ends_with(&vendidas));
    Some(depois.max)
}

#[test]
fn um_leitor_parado_e_dito_e_quando_sai_o_wal_encolhe() {
    // Passar tudo a limpo no laço pararia todos por mais do que isto, e a cada vez; uma máquina ocupada, só às vezes.
    let para_todos = Duration::from_millis(500);
    let parou = |_: &u32| um_leitor_para_e_sai().is_some_and(|maior| maior >= para_todos);
    assert!(!(0..3).all(|vez| parou(&vez)), "em três vezes, quem consulta esperou {para_todos:?}");
}

#[test]
fn fechar_com_um_leitor_diz_que_o_wal_ficou() {
    let livro = Arquivo::novo();
    let mut servidor = livro.abrir(Some(10));
    crate::comprar_tres(&servidor);
    let Some(leitor) = Vizinho::novo(&livro, "BEGIN") else { return };
    let termino = servidor.encerrar();
    assert_eq!(termino.codigo, Some(0));
    let ultima = termino.erro.lines().last().unwrap_or_default();
    assert!(ultima.contains("vendas.db-wal ficou ao lado dele"), "{}", termino.erro);
    assert!(bytes_do_wal(&livro) > 0);
    // Quem lê por último, e pode escrever, passa o WAL a limpo.
    leitor.sair();
    assert_eq!(bytes_do_wal(&livro), 0);
    assert_eq!(livro.extrato().vendidas(), 3);
}

#[test]
fn no_teto_o_servidor_para_de_vender_e_diz_por_que() {
    if std::env::var_os("LIVRO_TETO").is_none() {
        return println!("sem LIVRO_TETO=1: teste pulado");
    }
    const DE_CADA_VEZ: usize = 5;
    let livro = Arquivo::novo();
    let mut servidor = livro.abrir(Some(1_000_000_000));
    let Some(leitor) = Vizinho::novo(&livro, "BEGIN") else { return };
    let mut clientes: Vec<_> = (0..8).map(|_| servidor.cliente()).collect();
    let mut ouvidas = 0;
    'vender: loop {
        for cliente in &mut clientes {
            cliente.arrisca("COMPRAR\n".repeat(DE_CADA_VEZ));
        }
        for cliente in &mut clientes {
            for _ in 0..DE_CADA_VEZ {
                if cliente.ouve().is_none() {
                    break 'vender;
                }
                ouvidas += 1;
            }
        }
    }
    let termino = servidor.termino();
    println!("{ouvidas} vendas ouvidas, WAL de {} bytes\n{}", bytes_do_wal(&livro), termino.erro);
    assert_eq!(termino.codigo, Some(1));
    assert!(termino.erro.contains("o -wal dele chegou a 1024 MiB"), "{}", termino.erro);
    leitor.sair();
    // Reler 1 GiB demora.
    let repor = comando("servidor", ["--livro", livro.caminho(), "--repor", "1"]);
    let dito = Processo::iniciar(repor).termino_em(Duration::from_secs(120)).erro;
    let vendidas = dito.split("livro: ").last().and_then(|resto| resto.split(' ').next());
    assert!(vendidas.unwrap().parse::<u64>().unwrap() >= ouvidas, "{dito}");
}

/// Um extrato pedido depois da queda também não muda nada do que está no disco.
#[test]
fn um_extrato_depois_de_uma_queda_deixa_o_wal_onde_esta() {
    let livro = Arquivo::novo();
    let servidor = livro.abrir(Some(10));
    crate::comprar_tres(&servidor);
    crate::derrubar(servidor);
    let antes = fs::read(format!("{}-wal", livro.caminho())).unwrap();
    for _ in 0..2 {
        let termino = executar("servidor", ["extrato", livro.caminho()]);
        assert_eq!(termino.codigo, Some(0), "{}", termino.erro);
        assert!(fs::read(format!("{}-wal", livro.caminho())).unwrap() == antes);
    }
    assert_eq!(livro.extrato().vendidas(), 3);
}
