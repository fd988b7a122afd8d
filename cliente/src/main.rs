//! O programa `cliente`: simula, resume, dá o veredito. É o único lugar que decide o código de
//! saída: 0 tudo certo, 1 não pôde simular, 2 opções erradas, 3 servidor inconsistente, 130
//! interrompido.

use std::io::{self, Write};
use std::process::ExitCode;

use cliente::auditoria::auditar;
use cliente::historia::Simulacao;
use cliente::opcoes::Opcoes;
use cliente::resumo::resumir;
use cliente::simulacao::simular;
use protocolo::terminal::{dizer, ler_opcoes};

const NAO_SIMULOU: u8 = 1;
const INCONSISTENTE: u8 = 3;
const INTERROMPIDO: u8 = 130;

fn main() -> ExitCode {
    let opcoes: Opcoes = match ler_opcoes(std::env::args_os()) {
        Ok(opcoes) => opcoes,
        Err(codigo) => return codigo,
    };
    match simular(&opcoes) {
        Ok(simulacao) => concluir(&opcoes, &simulacao),
        Err(motivo) => {
            dizer(format_args!("cliente: {motivo}"));
            ExitCode::from(NAO_SIMULOU)
        }
    }
}

fn concluir(opcoes: &Opcoes, simulacao: &Simulacao) -> ExitCode {
    let servidor = &opcoes.servidor;
    let falhas = simulacao.historias.iter().flat_map(|historia| &historia.falhas);
    let primeira = falhas.min_by_key(|(quando, _)| *quando).map(|(_, falha)| falha.to_string());
    if !simulacao.houve_conexao() {
        dizer(match primeira {
            Some(porque) => format!(
                "cliente: ninguém chegou a {servidor} ({porque}); o servidor está no ar? cargo run -p \
                 servidor"
            ),
            None => format!("cliente: interrompido antes de chegar a {servidor}"),
        });
        return sem_veredito(simulacao);
    }
    // Se ninguém lê a saída padrão, o código de saída ainda diz o veredito.
    let _ = write!(io::stdout(), "\n{}", resumir(simulacao));
    if !simulacao.houve_resposta() {
        let porque = primeira.unwrap_or_else(|| "interrompido antes da primeira resposta".into());
        dizer(format_args!(
            "cliente: {servidor} não deu nenhuma resposta do protocolo ({porque}); não há o que julgar"
        ));
        return sem_veredito(simulacao);
    }
    let parecer = auditar(&simulacao.historias);
    let _ = write!(io::stdout(), "\n{parecer}");
    if !parecer.consistente() {
        ExitCode::from(INCONSISTENTE)
    } else if simulacao.interrompida {
        ExitCode::from(INTERROMPIDO)
    } else {
        ExitCode::SUCCESS
    }
}

fn sem_veredito(simulacao: &Simulacao) -> ExitCode {
    ExitCode::from(if simulacao.interrompida { INTERROMPIDO } else { NAO_SIMULOU })
}
