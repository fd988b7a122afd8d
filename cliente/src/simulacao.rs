//! Monta a multidão, deixa-a viver e recolhe as histórias.

use std::fs::File;
use std::io::Write;
use std::net::ToSocketAddrs;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use protocolo::terminal::{contar, dizer, explicar};

use crate::arquivo::{Arquivo, Conteudo, GUARDADAS_MAXIMAS};
use crate::historia::Simulacao;
use crate::opcoes::Opcoes;
use crate::painel::{Painel, Placar};
use crate::parada::Parada;
use crate::piscina;
use crate::roteiro::{Regras, Roteiro, acelerada};
use crate::sessao::{self, Cena};
use crate::usuario::Usuario;

/// Simula a multidão que as opções pedem, com esta semente. Cada operação vai ao arquivo que `csv` abre,
/// se algum foi pedido; só é chamada quando já há o que simular.
///
/// # Errors
///
/// O nome do servidor não existe, ou o sistema não deu com que começar. Servidor que não responde
/// não é erro aqui: cada usuário conta o que lhe aconteceu.
pub fn simular(
    opcoes: &Opcoes,
    semente: u64,
    csv: impl FnOnce() -> Result<Option<File>, String>,
) -> Result<Simulacao, String> {
    let regras = regras(opcoes, semente);
    let ciclos_previstos =
        (1..=opcoes.usuarios).map(|n| u64::from(Roteiro::novo(regras, n).ciclos())).sum();
    let cena = cena(opcoes, csv)?;
    let (recados, novidades) = mpsc::channel();
    // `recados` vai com a tarefa: o painel para quando a última cópia do canal se fecha.
    let viver = {
        let cena = &cena;
        move |indice: usize| {
            let numero = indice + 1;
            let chegada = chegada(indice, opcoes);
            let usuario =
                Usuario::novo(numero, Roteiro::novo(regras, numero), chegada, opcoes.reconectar);
            sessao::viver(numero, usuario, cena, recados.clone())
        }
    };
    let acompanhar = |threads| {
        anunciar(opcoes, semente, threads);
        Painel::novo(opcoes, ciclos_previstos, &cena.placar).acompanhar(&novidades);
    };
    let threads = opcoes.threads.unwrap_or(opcoes.usuarios);
    let mut historias = piscina::executar(threads, opcoes.usuarios, viver, acompanhar)
        .map_err(|erro| format!("o sistema não deu nenhuma thread: {}", explicar(&erro)))?;
    historias.sort_unstable_by_key(|historia| historia.usuario);
    let duracao = cena.inicio.elapsed();
    let arquivo = cena.arquivo.into_inner().unwrap_or_else(PoisonError::into_inner);
    let Conteudo { historias, medidas, perdidas, csv } = arquivo.concluir(historias);
    Ok(Simulacao {
        historias,
        medidas,
        perdidas,
        csv,
        semente,
        usuarios: opcoes.usuarios,
        ciclos_previstos,
        duracao,
        interrompida: cena.parada.pedida(),
    })
}

/// O que todas as sessões têm em comum; o relógio da simulação começa aqui.
fn cena(
    opcoes: &Opcoes,
    csv: impl FnOnce() -> Result<Option<File>, String>,
) -> Result<Cena, String> {
    let enderecos = opcoes.servidor.to_socket_addrs().map_err(|_| {
        format!("'{}' não é um servidor conhecido; confira --servidor", opcoes.servidor)
    })?;
    // Cada usuário é um descritor. Se não der para aumentar o limite, vale o que houver.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let parada = Parada::ao_sinal(|| ())
        .map_err(|erro| format!("não posso capturar o Ctrl-C: {}", explicar(&erro)))?;
    let csv = csv()?.map(|csv| Box::new(csv) as Box<dyn Write + Send>);
    Ok(Cena {
        inicio: Instant::now(),
        enderecos: enderecos.collect(),
        espera: opcoes.espera,
        fim_de_linha: opcoes.fim_de_linha,
        detalhado: opcoes.detalhado,
        placar: Placar::default(),
        parada,
        arquivo: Mutex::new(Arquivo::novo(opcoes.usuarios, GUARDADAS_MAXIMAS, csv)),
    })
}

fn regras(opcoes: &Opcoes, semente: u64) -> Regras {
    let Opcoes { ciclos, decisao, escuta, acelerar, .. } = *opcoes;
    Regras { semente, ciclos, decisao, escuta, acelerar }
}

/// As chegadas se espalham por igual pela rampa.
fn chegada(indice: usize, opcoes: &Opcoes) -> Duration {
    let rampa = acelerada(opcoes.rampa, opcoes.acelerar).as_secs_f64();
    let fracao = indice as f64 / opcoes.usuarios as f64;
    Duration::try_from_secs_f64(rampa * fracao).unwrap_or(Duration::MAX)
}

fn anunciar(opcoes: &Opcoes, semente: u64, threads: usize) {
    let usuarios = opcoes.usuarios;
    dizer(format_args!(
        "cliente: {} em {} contra {} (semente {semente})",
        contar(usuarios, "usuário", "usuários"),
        contar(threads, "thread", "threads"),
        opcoes.servidor
    ));
    if threads < opcoes.threads.unwrap_or(usuarios).min(usuarios) {
        dizer("cliente: o sistema não deu mais threads; a simulação segue com essas");
    }
    if threads < usuarios {
        dizer(format_args!(
            "cliente: há menos threads que usuários: no máximo {threads} ao mesmo tempo, e os outros \
             esperam a vez"
        ));
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use clap::Parser;

    #[test]
    fn a_rampa_espalha_as_chegadas_por_igual_e_tambem_e_acelerada() {
        let opcoes = |linha: &str| Opcoes::parse_from(linha.split(' '));
        let chegadas = |opcoes: &Opcoes| [0, 1, 3].map(|indice| chegada(indice, opcoes));
        let segundos = |s| Duration::from_secs(s);
        let normal = opcoes("cliente --usuarios 4 --rampa 8s");
        assert_eq!(chegadas(&normal), [segundos(0), segundos(2), segundos(6)]);
        let rapida = opcoes("cliente --usuarios 4 --rampa 8s --acelerar 2");
        assert_eq!(chegadas(&rapida), [segundos(0), segundos(1), segundos(3)]);
        let nenhuma = opcoes("cliente --usuarios 4");
        assert_eq!(chegadas(&nenhuma), [segundos(0); 3]);
    }
}
