//! O servidor morto em instantes escolhidos de uma venda: antes de escrevê-la, ao firmá-la, e depois de
//! firme, antes de alguém ouvir.
//!
//! O strace mata na entrada da chamada, que não chega a acontecer. Que chamada é, diz um ensaio sem
//! morte: o mesmo servidor e o mesmo cliente fazem as mesmas chamadas.
//!
//! Também enquanto o WAL passa para o arquivo, que é quando a marca dele some e volta: sozinho, ele ou diz
//! tudo o que se ouviu ou é recusado.

use std::fs;

use testes::{Servidor, Signal};

use crate::rastro::{
    Instante, caminho_do_rastro, escreve_no_wal, firma_o_wal, ha_strace, instantes,
    manda_ao_cliente, so_o_arquivo_sob_strace, sob_strace,
};
use crate::sob_teste::{Arquivo, Fala, Ouvido};

const ESTOQUE: u64 = 10;
const VENDAS: usize = 4;

/// A vez, entre as chamadas do mesmo nome, de cada passo de uma venda.
#[derive(Debug, Default, Clone, Copy)]
struct Passos {
    primeiro_pwrite: usize,
    fdatasync: usize,
    resposta: usize,
}

/// Os passos de cada venda de um rastro. O strace conta as vezes por thread; a que vende é a que
/// responde.
fn passos(rastro: &str) -> Vec<Passos> {
    let comecos = |quem: &str| {
        let de_quem = move |(pid, instante)| match instante {
            Instante::Comeca(chamada) if pid == quem => Some(chamada),
            _ => None,
        };
        instantes(rastro).into_iter().filter_map(de_quem).collect::<Vec<_>>()
    };
    let vende = |chamada: &&str| manda_ao_cliente(chamada) && chamada.contains("Compra realizada");
    let Some(resposta) = rastro.lines().find(|linha| linha.contains("Compra realizada")) else {
        return Vec::new();
    };
    let (pid, _) = resposta.split_once(' ').unwrap();
    let (mut vezes, mut venda, mut todas) = (Passos::default(), Passos::default(), Vec::new());
    for chamada in comecos(pid) {
        let nome = chamada.split('(').next().unwrap_or_default();
        match nome {
            "pwrite64" => vezes.primeiro_pwrite += 1,
            "fdatasync" => vezes.fdatasync += 1,
            "sendto" => vezes.resposta += 1,
            _ => {}
        }
        // Uma escrita depois de uma transação firme é de outra: a primeira de todas é o ensaio da abertura.
        let comeca = venda.primeiro_pwrite == 0 || venda.fdatasync != 0;
        if escreve_no_wal(chamada) && comeca {
            venda = Passos { primeiro_pwrite: vezes.primeiro_pwrite, ..Passos::default() };
        } else if firma_o_wal(chamada) {
            venda.fdatasync = vezes.fdatasync;
        } else if vende(&chamada) {
            venda.resposta = vezes.resposta;
            todas.push(std::mem::take(&mut venda));
        }
    }
    todas
}

/// Um freguês compra até o servidor se ir, ou até ter comprado [`VENDAS`].
fn comprar(servidor: &Servidor, ouvido: &mut Ouvido) {
    let mut cliente = servidor.cliente();
    let de = cliente.endereco();
    for _ in 0..VENDAS {
        cliente.arrisca("COMPRAR\n");
        let Some(linha) = cliente.ouve() else { return };
        ouvido.anotar(ESTOQUE, &Fala { de, linha });
    }
}

/// Mata o servidor na `vez`-ésima `chamada`, com a venda `numero` a caminho; diz quantas ficaram.
fn morrer(chamada: &str, vez: usize, numero: usize) -> usize {
    let livro = Arquivo::novo();
    let estrago = format!("{chamada}:signal=SIGKILL:when={vez}");
    let mut servidor = Servidor::de(sob_strace(&livro, Some(ESTOQUE), Some(&estrago)));
    let mut ouvido = Ouvido::default();
    comprar(&servidor, &mut ouvido);
    assert_eq!(servidor.termino().codigo, None, "{estrago}: não morreu");
    assert_eq!(ouvido.confirmadas() as usize, numero - 1, "{estrago}: morreu em outro lugar");
    let extrato = livro.extrato();
    ouvido.conferir(&extrato);
    livro.continua(&mut ouvido);
    extrato.vendidas() as usize
}

#[test]
fn a_morte_em_cada_passo_de_uma_venda() {
    if !ha_strace() {
        return;
    }
    let ensaio = Arquivo::novo();
    let mut servidor = Servidor::de(sob_strace(&ensaio, Some(ESTOQUE), None));
    comprar(&servidor, &mut Ouvido::default());
    assert_eq!(servidor.encerrar().codigo, Some(0));
    let passos = passos(&fs::read_to_string(caminho_do_rastro(&ensaio)).unwrap());
    assert_eq!(passos.len(), VENDAS);
    for (numero, venda) in (1..).zip(passos) {
        let antes = morrer("pwrite64", venda.primeiro_pwrite, numero);
        assert_eq!(antes, numero - 1, "ninguém a escreveu");
        let dentro = morrer("fdatasync", venda.fdatasync, numero);
        assert!([numero - 1, numero].contains(&dentro), "{dentro}");
        let depois = morrer("sendto", venda.resposta, numero);
        assert_eq!(depois, numero, "ninguém ouviu, mas estava firme");
    }
}

/// Vende muito de cada vez, até o servidor morrer ou o WAL ter recomeçado umas vezes; diz se morreu.
fn morrer_na_faxina(chamada: &str, vez: usize) -> bool {
    const UNIDADES: u64 = 1_000_000;
    const DE_CADA_VEZ: usize = 500;
    let livro = Arquivo::novo();
    let estrago = format!("{chamada}:signal=SIGKILL:when={vez}");
    // Já criado, para que as primeiras chamadas sejam as da venda.
    assert_eq!(livro.abrir(Some(UNIDADES)).encerrar().codigo, Some(0));
    let mut servidor = Servidor::de(so_o_arquivo_sob_strace(&livro, Some(&estrago)));
    let mut ouvido = Ouvido::default();
    let mut cliente = servidor.cliente();
    let de = cliente.endereco();
    let mut voltas = 0..180;
    let morreu = 'vender: loop {
        if voltas.next().is_none() {
            break false;
        }
        cliente.arrisca("COMPRAR\n".repeat(DE_CADA_VEZ));
        for _ in 0..DE_CADA_VEZ {
            let Some(linha) = cliente.ouve() else { break 'vender true };
            ouvido.anotar(UNIDADES, &Fala { de, linha });
        }
    };
    if !morreu {
        servidor.sinal(Signal::KILL);
    }
    assert_eq!(servidor.termino().codigo, None);
    livro.sozinho_ou_diz_tudo_ou_e_recusado(&ouvido);
    ouvido.conferir(&livro.extrato());
    livro.continua(&mut ouvido);
    println!("{estrago}: {} ouvidas, morreu: {morreu}", ouvido.confirmadas());
    morreu
}

#[test]
fn a_morte_em_cada_passo_da_faxina() {
    if !ha_strace() {
        return;
    }
    // As marcas e as páginas se escrevem com pwrite64, em duas threads, que o strace conta à parte; quem
    // corta o arquivo é o laço.
    let vezes = [
        ("pwrite64", &[2, 3, 4, 8, 100, 500][..]),
        ("fdatasync", &[2, 3, 4, 20, 40]),
        ("ftruncate", &[1, 2]),
    ];
    for (chamada, vezes) in vezes {
        let mortes = vezes.iter().filter(|vez| morrer_na_faxina(chamada, **vez)).count();
        assert!(mortes > 0, "nenhuma morte em {chamada}");
    }
}
