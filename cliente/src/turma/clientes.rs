//! Os clientes da turma: depois das notas, observa o simulador de cada entrega, na mesma cela, e guarda o que se viu. É em
//! tempo real, e quase todo o tempo se espera: por isso vão muitos ao mesmo tempo, e não ao lado dos servidores, que se
//! medem. Não dá pontos: quem diz quanto o cliente vale são os pesos.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use protocolo::mensagem::visivel;
use protocolo::terminal::{contar, dizer};

use super::correcao::{CLIENTE, LAUDO_HTML, LAUDO_JSON, Observacao, Ordem};
use super::corrida::{Corrida, Fim};
use super::entregas::Entrega;
use super::receita::{self, Origem, Receita};
use super::resultado::{ClienteVisto, Desfecho, Resultado};
use super::{cela, fontes, pacote};
use crate::tempo::como_se_pede;

/// O arquivo, na pasta da entrega, com o comando que abre o cliente.
const COMANDO_DO_CLIENTE: &str = "iniciar-cliente.txt";

/// Quanto se espera, em cada cena, que o cliente termine.
const TEMPO_DA_CENA: Duration = Duration::from_secs(360);

impl Corrida<'_> {
    /// Observa o cliente de cada entrega que ainda não tem o seu observado, tantos ao mesmo tempo quantas são as vagas.
    ///
    /// # Errors
    ///
    /// O que se viu não se pôde guardar.
    pub fn observar_clientes(
        &self,
        entregas: &[Entrega],
        resultados: &mut [Resultado],
        vagas: usize,
    ) -> io::Result<()> {
        let por_observar: Vec<Mutex<&mut Resultado>> = resultados
            .iter_mut()
            .filter(|resultado| resultado.observado.is_none())
            .map(Mutex::new)
            .collect();
        if por_observar.is_empty() || self.parada.pedida() {
            return Ok(());
        }
        let quantos = contar(por_observar.len(), "cliente", "clientes");
        self.andamento.suspend(|| {
            dizer(format_args!("observam-se {quantos}, em tempo real, {vagas} por vez"));
        });
        let proximo = AtomicUsize::new(0);
        let trabalhar = || -> io::Result<()> {
            while let Some(vaga) = por_observar.get(proximo.fetch_add(1, Ordering::Relaxed)) {
                let mut resultado = vaga.lock().unwrap_or_else(PoisonError::into_inner);
                let dela = entregas.iter().find(|e| e.apelido == resultado.apelido);
                if let Some(entrega) = dela.filter(|_| !self.parada.pedida()) {
                    self.observar_um(entrega, &mut resultado)?;
                }
            }
            Ok(())
        };
        thread::scope(|escopo| {
            let trabalhos: Vec<_> = (0..vagas).map(|_| escopo.spawn(trabalhar)).collect();
            trabalhos.into_iter().try_for_each(|trabalho| trabalho.join().unwrap_or(Ok(())))
        })
    }

    /// Observa um e guarda o que se viu; interrompido, deixa tudo como estava.
    fn observar_um(&self, entrega: &Entrega, resultado: &mut Resultado) -> io::Result<()> {
        let pasta = tempfile::tempdir()?;
        let [aberta, laudos] = ["entrega", "resultados"].map(|nome| pasta.path().join(nome));
        fs::create_dir(&aberta)?;
        fs::create_dir(&laudos)?;
        let visto = match self.receita_do_cliente(entrega, &aberta) {
            Err(nao_se_viu) => Some(nao_se_viu),
            Ok(receita) => {
                resultado.cliente = Some(receita.servidor.display().to_string());
                let ordem = self.ordem(entrega, &receita, &aberta, &laudos);
                let ordem = self.do_cliente(ordem, &resultado.desfecho);
                cela::entregar_a_cela(pasta.path())?;
                self.ver_o_cliente(&ordem, &aberta, &laudos)?
            }
        };
        let Some(visto) = visto else { return Ok(()) };
        let resumo = visto.resumo();
        self.andamento
            .suspend(|| dizer(format_args!("{}, cliente: {resumo}", visivel(&resultado.nome))));
        let alunos = self.saida.join("alunos");
        if matches!(visto, ClienteVisto::Observado { .. }) {
            for (laudo, tipo) in [(LAUDO_HTML, "html"), (LAUDO_JSON, "json")] {
                let dele = alunos.join(format!("{}-cliente.{tipo}", entrega.apelido));
                fs::copy(laudos.join(laudo), dele)?;
            }
        }
        resultado.notas.extend(visto.sobre_a_porta());
        resultado.observado = Some(visto);
        self.registrar(entrega, resultado)
    }

    /// Abre a entrega e acha como se abre o cliente; se não, por que não.
    fn receita_do_cliente(
        &self,
        entrega: &Entrega,
        aberta: &Path,
    ) -> Result<Receita, ClienteVisto> {
        let nao_se_viu = |motivo, da_entrega| ClienteVisto::NaoSeViu { motivo, da_entrega };
        pacote::abrir(entrega, aberta)
            .map_err(|recusa| nao_se_viu(recusa.to_string(), !recusa.da_maquina()))?;
        let receita = deduzir(aberta)
            .ok_or_else(|| nao_se_viu("a entrega não tem um programa que conecte".into(), true))?;
        match self.ferramentas.falta(&receita) {
            Some(falta) => Err(nao_se_viu(falta, false)),
            None => Ok(receita),
        }
    }

    /// A porta em que este servidor escuta, se não é a do enunciado.
    pub(super) fn outra_porta(&self, servidor: &Desfecho) -> Option<u16> {
        match servidor {
            Desfecho::Avaliada(avaliada) => Some(avaliada.porta),
            Desfecho::NaoAbriu { .. } | Desfecho::SemNota { .. } => None,
        }
        .filter(|porta| *porta != self.opcoes.medida.porta)
    }

    /// A ordem do servidor, para o cliente. Se o servidor escuta em outra porta, também se espera o cliente nela: é o
    /// mesmo defeito, e já se cobrou.
    fn do_cliente(&self, ordem: Ordem, servidor: &Desfecho) -> Ordem {
        let repetir = ordem.repetir.replace("cliente avaliar --", "cliente avaliar-cliente --");
        let observacao = Observacao {
            // As duas cenas têm de caber no tempo da entrega inteira.
            tempo_maximo: TEMPO_DA_CENA.min(self.opcoes.tempo_maximo.mul_f64(0.45)),
            outra_porta: self.outra_porta(servidor),
        };
        Ordem { repetir, observar: Some(observacao), ..ordem }
    }

    fn ver_o_cliente(
        &self,
        ordem: &Ordem,
        aberta: &Path,
        laudos: &Path,
    ) -> io::Result<Option<ClienteVisto>> {
        let escrita = match ordem.escrita() {
            Ok(escrita) => escrita,
            Err(motivo) => {
                return Ok(Some(ClienteVisto::NaoSeViu {
                    motivo: motivo.into(),
                    da_entrega: true,
                }));
            }
        };
        let (fim, dito) = self.executar(&escrita, aberta, laudos)?;
        let motivo = match fim {
            Fim::Interrompida => return Ok(None),
            Fim::PassouDoTempo => format!(
                "a observação passou de {} e foi interrompida",
                como_se_pede(self.opcoes.tempo_maximo)
            ),
            Fim::Terminou => format!("a observação parou no meio: {dito}"),
        };
        let lido = fs::read_to_string(laudos.join(CLIENTE)).ok();
        let visto = lido.and_then(|texto| serde_json::from_str(&texto).ok());
        Ok(Some(visto.unwrap_or(ClienteVisto::NaoSeViu { motivo, da_entrega: false })))
    }
}

/// Como se abre o cliente que está em `raiz`: pelo comando da entrega, ou pelo que a pasta tem.
fn deduzir(raiz: &Path) -> Option<Receita> {
    let fontes = fontes::ler(raiz);
    let cliente = receita::escolher_cliente(&fontes);
    if let Some((pasta, comando)) = receita::comando_da_entrega(raiz, COMANDO_DO_CLIENTE) {
        let servidor = cliente.map(|fonte| fonte.caminho.clone()).unwrap_or_default();
        return Some(Receita { servidor, ..receita::a_mando(pasta, comando, Origem::DaEntrega) });
    }
    cliente.map(|cliente| receita::adivinhar(raiz, cliente, &fontes))
}

#[cfg(test)]
mod testes {
    use super::*;

    fn deduzido(arquivos: &[(&str, &str)]) -> Option<(String, String)> {
        let pasta = tempfile::tempdir().unwrap();
        for (nome, texto) in arquivos {
            fs::write(pasta.path().join(nome), texto).unwrap();
        }
        deduzir(pasta.path()).map(|r| (r.servidor.display().to_string(), r.iniciar))
    }

    #[test]
    fn o_cliente_e_o_que_conecta_e_compra_ou_o_que_a_entrega_manda() {
        let servidor = ("s.py", "s.bind(x)\ns.listen()");
        let teste = ("a_teste.py", "s.connect(x)");
        let cliente = ("b.py", "s.connect(x)\ns.send(b'COMPRAR')");
        let certo = Some(("b.py".into(), "python3 b.py".into()));
        assert_eq!(deduzido(&[servidor, teste, cliente]), certo);
        assert_eq!(deduzido(&[servidor]), None);
        let mandado = (COMANDO_DO_CLIENTE, "python3 b.py 10\n");
        let com_argumento = Some(("b.py".into(), "python3 b.py 10".into()));
        assert_eq!(deduzido(&[servidor, cliente, mandado]), com_argumento);
    }
}
