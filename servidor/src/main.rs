//! O programa `servidor`: lê as opções, abre, atende, presta contas. É o único lugar que decide o
//! código de saída: 0 depois de um sinal, 1 se não pôde servir, 2 se as opções estão erradas.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::AsFd;
use std::process::ExitCode;

use protocolo::terminal::{dizer, explicar, ler_opcoes};
use servidor::balcao::Limites;
use servidor::loja::Loja;
use servidor::opcoes::Opcoes;
use servidor::reator::{Encerramento, Reator};
use servidor::registro::Registro;

fn main() -> ExitCode {
    let opcoes: Opcoes = match ler_opcoes(std::env::args_os()) {
        Ok(opcoes) => opcoes,
        Err(codigo) => return codigo,
    };
    match servir(&opcoes) {
        Ok(encerramento) => {
            dizer(prestar_contas(&encerramento));
            ExitCode::SUCCESS
        }
        Err(motivo) => {
            dizer(format_args!("servidor: {motivo}"));
            ExitCode::FAILURE
        }
    }
}

fn servir(opcoes: &Opcoes) -> Result<Encerramento, String> {
    let cabem = conexoes_que_cabem();
    let limites = Limites {
        conexoes: opcoes.max_conexoes.unwrap_or(cabem).min(cabem),
        ocioso: opcoes.ocioso,
    };
    let registro = abrir_registro(opcoes)?;
    let endereco = resolver(&opcoes.endereco, opcoes.porta)?;
    let reator = Reator::abrir(endereco, Loja::nova(opcoes.estoque), limites, registro)
        .map_err(|erro| explicar_abertura(endereco, &erro))?;
    dizer(format_args!("servidor: ouvindo em {} (estoque: {})", reator.endereco(), opcoes.estoque));
    if let Some(pedidas) = opcoes.max_conexoes.filter(|pedidas| *pedidas > cabem) {
        dizer(format_args!(
            "servidor: --max-conexoes {pedidas} não cabe no limite de descritores; usando {cabem} \
             (aumente com 'ulimit -n')"
        ));
    }
    reator.atender().map_err(|erro| format!("o laço de eventos parou: {}", explicar(&erro)))
}

/// Leva o limite de descritores ao máximo permitido e diz quantas conexões cabem nele, com folga
/// para os descritores do próprio programa e para explicar a lotação a quem fica de fora.
fn conexoes_que_cabem() -> usize {
    // Sem poder aumentar, vale o limite que já havia; sem poder lê-lo, o mínimo do POSIX.
    let limite = rlimit::increase_nofile_limit(u64::MAX)
        .or_else(|_| rlimit::Resource::NOFILE.get_soft())
        .unwrap_or(20);
    let limite = usize::try_from(limite).unwrap_or(usize::MAX);
    let folga = 16 + (limite / 8).min(100);
    limite.saturating_sub(folga).max(1)
}

fn abrir_registro(opcoes: &Opcoes) -> Result<Registro, String> {
    if opcoes.silencioso {
        return Ok(Registro::mudo());
    }
    let aberto = match &opcoes.registro {
        Some(caminho) => {
            let arquivo = File::options().append(true).create(true).open(caminho);
            let arquivo = arquivo.map_err(|erro| {
                let (nome, porque) = (caminho.display(), explicar(&erro));
                format!("não posso registrar em {nome}: {porque}; escolha outro com --registro")
            })?;
            Registro::novo(arquivo)
        }
        // O descritor, sem o buffer da std: o registro tem o dele e conta o que não saiu.
        None => io::stdout()
            .as_fd()
            .try_clone_to_owned()
            .and_then(|saida| Registro::novo(File::from(saida))),
    };
    aberto.map_err(|erro| format!("não posso abrir o registro: {}", explicar(&erro)))
}

fn resolver(nome: &str, porta: u16) -> Result<SocketAddr, String> {
    let enderecos = (nome, porta).to_socket_addrs();
    enderecos.ok().and_then(|mut enderecos| enderecos.next()).ok_or_else(|| {
        format!("'{nome}' não é um endereço conhecido; use um IP, como --endereco 127.0.0.1")
    })
}

fn explicar_abertura(endereco: SocketAddr, erro: &io::Error) -> String {
    let conselho = match erro.kind() {
        io::ErrorKind::AddrInUse => "; feche o outro programa ou escolha outra porta com --porta",
        io::ErrorKind::AddrNotAvailable => "; para escutar em todos, use --endereco 0.0.0.0",
        io::ErrorKind::PermissionDenied => "; use uma porta acima de 1023, com --porta",
        _ => "",
    };
    format!("não posso escutar em {endereco}: {}{conselho}", explicar(erro))
}

fn prestar_contas(fim: &Encerramento) -> String {
    let contas = fim.contas;
    format!(
        "servidor: encerrado
  conexões atendidas            {}
  pico de conexões simultâneas  {}
  conexões recusadas (lotado)   {}
  comandos                      {}
  vendas                        {}
  recusas (esgotado)            {}
  estoque restante              {}
  linhas de registro perdidas   {}",
        contas.conexoes,
        contas.pico,
        contas.lotadas,
        contas.pedidos,
        fim.vendas,
        fim.recusas,
        fim.estoque,
        fim.linhas_perdidas,
    )
}
