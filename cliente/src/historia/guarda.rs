//! A guarda: recebe as operações dos usuários aos lotes, faz as contas, escreve o `--csv` e guarda só
//! o que a auditoria precisa. É o que deixa uma multidão rodar por horas sem ocupar mais memória.
//!
//! Um usuário entrega quando junta [`LOTE`] operações; uma simulação comum (de 10 a 20 ciclos) só
//! entrega no fim. Das que ficam no meio do caminho, a auditoria precisa de poucas: entre leituras
//! iguais e seguidas do mesmo usuário, só a primeira a terminar e a última a começar podem contradizer
//! alguém. Guarda-se, assim, uma por venda e duas por valor que cada um viu, até [`GUARDADAS_MAXIMAS`].
//!
//! Na memória, cerca de 100 bytes cada: até `LOTE` por usuário, e as guardadas (100 MB, se tantas se
//! venderem). No fim, a auditoria e os relatórios usam outro tanto por algumas vezes, e devolvem.

use std::io;

use crate::conversa::desfecho::Desfecho;
use crate::historia::medidas::Medidas;
use crate::historia::vivido::{Historia, Operacao, Qual};
use crate::tempo::instante_para_programas;

/// Quantas operações um usuário junta antes de entregá-las.
pub const LOTE: usize = 256;

/// Quantas operações ficam para a auditoria, ao todo. As outras ainda entram nas contas e no CSV.
pub const GUARDADAS_MAXIMAS: usize = 1_000_000;

/// As primeiras de cada usuário ficam todas: são as que o relatório desenha.
pub const PRIMEIRAS: usize = 8;

/// A guarda de uma simulação.
pub struct Guarda {
    medidas: Medidas,
    /// As de cada usuário, pela ordem dos números.
    guardadas: Vec<Vec<Operacao>>,
    cabem: usize,
    perdidas: u64,
    csv: Option<Csv>,
}

/// O que a guarda tem no fim.
#[derive(Debug)]
pub struct Conteudo {
    /// As histórias, cada uma com as operações que se guardaram.
    pub historias: Vec<Historia>,
    /// As contas de todas as operações.
    pub medidas: Medidas,
    /// Operações que a auditoria queria e não couberam.
    pub perdidas: u64,
    /// Como terminou a escrita do CSV.
    pub csv: io::Result<()>,
}

impl Guarda {
    /// Uma guarda para `usuarios` usuários, que guarda até `cabem` operações (na simulação,
    /// [`GUARDADAS_MAXIMAS`]) e escreve cada uma em `csv`.
    /// O `--csv` diz o nome de cada servidor, que está em `servidores`.
    pub fn nova(
        usuarios: usize,
        cabem: usize,
        servidores: &[String],
        csv: Option<Box<dyn io::Write + Send>>,
    ) -> Self {
        Guarda {
            medidas: Medidas::default(),
            guardadas: vec![Vec::new(); usuarios],
            cabem,
            perdidas: 0,
            csv: csv.map(|destino| Csv::novo(destino, servidores.to_vec())),
        }
    }

    /// Recebe as operações seguintes do usuário deste número.
    pub fn receber(&mut self, usuario: usize, lote: Vec<Operacao>) {
        for operacao in lote {
            self.anotar(usuario, &operacao);
            // Uma consulta sem um número que se entenda não diz nada à auditoria.
            if !operacao.compra && !matches!(operacao.resposta, Some((_, Desfecho::Leu(_)))) {
                continue;
            }
            let Some(guardadas) = self.guardadas.get_mut(usuario.wrapping_sub(1)) else { continue };
            if tomar_o_lugar(guardadas, &operacao) {
                continue;
            }
            if self.cabem == 0 {
                self.perdidas += 1;
            } else {
                self.cabem -= 1;
                guardadas.push(operacao);
            }
        }
    }

    fn anotar(&mut self, usuario: usize, operacao: &Operacao) {
        self.medidas.registrar(operacao);
        if let Some(csv) = &mut self.csv {
            csv.operacao(usuario, operacao);
        }
    }

    /// Junta a cada história o que ela já tinha entregado. O fim de cada uma fica inteiro.
    pub fn concluir(mut self, mut historias: Vec<Historia>) -> Conteudo {
        for historia in &mut historias {
            for operacao in &historia.operacoes {
                self.anotar(historia.usuario, operacao);
            }
            if let Some(csv) = &mut self.csv {
                csv.avisos(historia);
            }
            if let Some(guardadas) = self.guardadas.get_mut(historia.usuario.wrapping_sub(1)) {
                historia.resumida = guardadas.len() > PRIMEIRAS;
                guardadas.append(&mut historia.operacoes);
                historia.operacoes = std::mem::take(guardadas);
            }
        }
        let Guarda { medidas, perdidas, csv, .. } = self;
        Conteudo { historias, medidas, perdidas, csv: csv.map_or(Ok(()), Csv::concluir) }
    }
}

/// Se as duas últimas do mesmo pedido leram o mesmo que `nova`, a do meio não acrescenta nada, e a
/// nova fica no lugar dela. CONSULTAR e COMPRAR se alternam: as duas últimas de um estão entre as
/// quatro últimas de todas.
fn tomar_o_lugar(guardadas: &mut [Operacao], nova: &Operacao) -> bool {
    let repetida = |o: &Operacao| o.pedido.as_ref().is_some_and(|p| p.repetida.is_some());
    let leu_o_mesmo = |outra: &Operacao| match (&outra.resposta, &nova.resposta) {
        // A resposta dada outra vez ainda se confere com a primeira.
        _ if repetida(outra) => false,
        (Some((_, Desfecho::Leu(outra))), Some((_, Desfecho::Leu(nova)))) => outra == nova,
        (Some((_, Desfecho::Recusado)), Some((_, Desfecho::Recusado))) => true,
        _ => false,
    };
    let do_mesmo_pedido = |outra: &&mut Operacao| outra.compra == nova.compra;
    let depois_das_primeiras = guardadas.iter_mut().skip(PRIMEIRAS);
    let mut ultimas = depois_das_primeiras.rev().take(4).filter(do_mesmo_pedido);
    match (ultimas.next(), ultimas.next()) {
        (Some(ultima), Some(anterior)) if leu_o_mesmo(ultima) && leu_o_mesmo(anterior) => {
            *ultima = nova.clone();
            true
        }
        _ => false,
    }
}

/// As colunas do CSV, na ordem. Os tempos são segundos desde o começo da simulação, com nove casas.
/// A hora marcada só há no laço aberto, e o id, nas compras numeradas.
pub const COLUNAS: [&str; 10] = [
    "usuario",
    "conexao",
    "pedido",
    "enviada_s",
    "chegou_s",
    "resultado",
    "valor",
    "servidor",
    "marcada_s",
    "id",
];

/// O CSV da história: uma operação por linha, e uma por AVISO, no fim.
struct Csv {
    escritor: csv::Writer<Box<dyn io::Write + Send>>,
    servidores: Vec<String>,
    /// O primeiro erro; depois dele não se escreve mais, e a simulação segue.
    erro: Option<csv::Error>,
}

impl Csv {
    fn novo(destino: Box<dyn io::Write + Send>, servidores: Vec<String>) -> Self {
        let mut csv = Csv { escritor: csv::Writer::from_writer(destino), servidores, erro: None };
        csv.linha(COLUNAS.map(String::from));
        csv
    }

    fn linha(&mut self, linha: [String; COLUNAS.len()]) {
        if self.erro.is_none() {
            self.erro = self.escritor.write_record(linha).err();
        }
    }

    fn nome(&self, servidor: Qual) -> String {
        self.servidores.get(servidor.indice()).cloned().unwrap_or_default()
    }

    fn operacao(&mut self, usuario: usize, operacao: &Operacao) {
        let Operacao { conexao, servidor, compra, pedido, marcada, enviada, resposta } = operacao;
        let (resultado, valor) = match resposta.as_ref().map(|(_, desfecho)| desfecho) {
            None => ("sem-resposta", String::new()),
            Some(Desfecho::Leu(valor)) => ("leu", valor.to_string()),
            Some(Desfecho::LeuSemNumero) => ("leu", String::new()),
            Some(Desfecho::Comprou(restante)) => ("comprou", restante.to_string()),
            Some(Desfecho::ComprouSemNumero) => ("comprou", String::new()),
            Some(Desfecho::Recusado) => ("recusado", String::new()),
            Some(Desfecho::ForaDeAlcance) => ("fora-de-alcance", String::new()),
            Some(Desfecho::Estranho(texto)) => ("de-outro-modo", texto.clone()),
        };
        self.linha([
            usuario.to_string(),
            conexao.to_string(),
            if *compra { "COMPRAR" } else { "CONSULTAR" }.into(),
            instante_para_programas(*enviada),
            resposta
                .as_ref()
                .map(|(chegou, _)| instante_para_programas(*chegou))
                .unwrap_or_default(),
            resultado.into(),
            valor,
            self.nome(*servidor),
            marcada.map(instante_para_programas).unwrap_or_default(),
            pedido.as_ref().map(|pedido| pedido.id.texto().to_owned()).unwrap_or_default(),
        ]);
    }

    fn avisos(&mut self, historia: &Historia) {
        for conexao in &historia.conexoes {
            for aviso in &conexao.avisos {
                self.linha([
                    historia.usuario.to_string(),
                    conexao.numero.to_string(),
                    "AVISO".into(),
                    String::new(),
                    instante_para_programas(*aviso),
                    "aviso".into(),
                    String::new(),
                    self.nome(conexao.servidor),
                    String::new(),
                    String::new(),
                ]);
            }
        }
    }

    fn concluir(mut self) -> io::Result<()> {
        match self.erro {
            // Como `io::Error`, o erro da `csv` perde a causa: a do sistema está dentro dele.
            Some(erro) => Err(match erro.into_kind() {
                csv::ErrorKind::Io(erro) => erro,
                outro => io::Error::other(format!("{outro:?}")),
            }),
            None => self.escritor.flush(),
        }
    }
}
